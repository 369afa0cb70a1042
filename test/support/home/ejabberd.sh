#!/bin/sh
# ejabberd.sh start|stop|kill DIR - a throw-away ejabberd, all state in DIR.
# ejabberd.sh password DIR USER NEW - changes it while the server runs, and ends the account's sessions (from the host it runs in).
# ejabberd.sh offline DIR USER - says as JSON how many messages it keeps for the account while that is away.
# One Erlang VM without distribution: no epmd, no cookie, no ejabberdctl; its commands are had over https.
# DOMAIN  default hub.test; pubsub.DOMAIN is the pubsub service, edge.DOMAIN an XEP-0114 slot
# PORT    c2s STARTTLS port (25222); +1 direct TLS, +2 https (/ws, /bosh, host-meta), +47 s2s, +125 component
# LISTEN  the address it listens on (127.0.0.1)
# SHAPER  "none" or "normal" (the Debian default: 3000 B/s, burst 20000)
# MAX_ITEMS        mod_pubsub max_items_node ("unlimited" here; ejabberd's own default is 1000)
# NODE_ITEMS       max_items of a node that it makes by itself, on a publish (its own default: 1000)
# PUBSUB           "no": there is none at pubsub.DOMAIN, only one at elsewhere.DOMAIN, without which it has no PEP either
# CREATORS         regular expression of the users who may make nodes ("": all)
# MAM              "always" (as in Debian's file) or "never": its archive takes longer with each message it holds of an account
# PEERS            "home.test ..." s2s peers at 127.0.0.1 (needs libnss-wrapper); PEER_PORT their s2s port (15269)
# MAX_STANZA       c2s max_stanza_size (262144, as in Debian's file)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cmd=$1; mkdir -p "$2"; dir=$(cd "$2" && pwd)
listen=${LISTEN:-127.0.0.1}
[ "$listen" = 0.0.0.0 ] && local=127.0.0.1 || local=$listen
domain=${DOMAIN:-hub.test} port=${PORT:-25222}
[ "${PUBSUB:-}" = no ] && pubsub=elsewhere || pubsub=pubsub
tls=$((port + 1)) web=$((port + 2)) s2s=$((port + 47)) comp=$((port + 125))

alive() { [ -s "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; }
end() {
  alive || { rm -f "$dir/pid"; return 0; }
  kill "-$1" "$(cat "$dir/pid")"
  i=0; while alive && [ $i -lt 200 ]; do sleep 0.1; i=$((i + 1)); done
  if alive; then kill -KILL "$(cat "$dir/pid")"; sleep 0.2; fi
  rm -f "$dir/pid"
}
command() { # name, arguments as JSON
  python3 -c 'import ssl, sys, urllib.request as u
c = ssl.create_default_context(); c.check_hostname = False; c.verify_mode = ssl.CERT_NONE
print(u.urlopen(u.Request(sys.argv[1], sys.argv[2].encode(), {"Content-Type": "application/json"}), context=c, timeout=30).read().decode())' "https://$local:$web/api/$1" "$2"
}
case $cmd in
  stop) end TERM; exit 0;; kill) end KILL; exit 0;; start) ;;
  password)
    command change_password "{\"user\": \"$3\", \"host\": \"$domain\", \"newpass\": \"$4\"}"
    command kick_user "{\"user\": \"$3\", \"host\": \"$domain\"}"
    exit 0 ;;
  offline) command get_offline_count "{\"user\": \"$3\", \"server\": \"$domain\"}"; exit 0 ;;
  *) echo "usage: $0 start|stop|kill DIR" >&2; exit 2;;
esac
alive && { echo "already running in $dir" >&2; exit 1; }

"$here/certs.sh" "$dir" "$domain"
mkdir -p "$dir/db"
# ejabberd asks inet_res for SRV (fails at once without a resolver) and libc's getaddrinfo
# for addresses, so peers are given to libc with nss_wrapper; no edit of /etc/hosts.
hosts="$listen localhost $domain"
for p in ${PEERS:-}; do hosts="$hosts $p pubsub.$p edge.$p"; done
echo "$hosts" > "$dir/hosts"
printf '{lookup,[file]}.\n{resolv_conf,"/dev/null"}.\n' > "$dir/inetrc"
libs=$(dirname "$(ls -d /usr/lib/*/ejabberd-* | head -1)") # differs by architecture
wrapper=$(ls /usr/lib/*/libnss_wrapper.so 2>/dev/null | head -1)
cat > "$dir/ejabberd.yml" <<CFG
loglevel: ${LOG:-info}
log_rotate_count: 0
hosts: ["$domain"]
certfiles: ["$dir/server.pem"]
ca_file: "$dir/ca.pem"
listen:
  - {port: $port, ip: "$listen", module: ejabberd_c2s, starttls_required: true,
     max_stanza_size: ${MAX_STANZA:-262144}, shaper: c2s_shaper, access: c2s}
  - {port: $tls, ip: "$listen", module: ejabberd_c2s, tls: true,
     max_stanza_size: ${MAX_STANZA:-262144}, shaper: c2s_shaper, access: c2s}
  - port: $web
    ip: "$listen"
    module: ejabberd_http
    tls: true
    request_handlers:
      /api: mod_http_api
      /ws: ejabberd_http_ws
      /bosh: mod_bosh
      /.well-known/host-meta: mod_host_meta
      /.well-known/host-meta.json: mod_host_meta
  - {port: $s2s, ip: "$listen", module: ejabberd_s2s_in, max_stanza_size: 524288}
  - port: $comp
    ip: "$listen"
    module: ejabberd_service
    hosts: {"edge.$domain": {password: "component-secret"}}
s2s_use_starttls: required
outgoing_s2s_port: ${PEER_PORT:-15269}
auth_password_format: scram
disable_sasl_mechanisms: ["digest-md5", "X-OAUTH2"]
shaper:
  normal: {rate: 3000, burst_size: 20000}
  fast: 200000
shaper_rules:
  max_user_sessions: 10
  max_user_offline_messages: ${MAX_OFFLINE:-100}
  c2s_shaper: ${SHAPER:-none}
  s2s_shaper: fast
access_rules:
  c2s: {allow: all}
  local: {allow: local}
  pubsub_createnode: {allow: creators}
acl: {local: {user_regexp: ""}, creators: {user_regexp: "${CREATORS:-}"}}
api_permissions:
  here: {from: mod_http_api, who: {ip: "$local/32"}, what: [change_password, kick_user, get_offline_count]}
modules:
  mod_admin_extra: {}
  mod_adhoc: {}
  mod_blocking: {}
  mod_bosh: {}
  mod_host_meta: {bosh_service_url: "https://@HOST@:$web/bosh", websocket_url: "wss://@HOST@:$web/ws"}
  mod_caps: {}
  mod_carboncopy: {}
  mod_client_state: {}
  mod_disco: {}
  ${FAIL2BAN:-mod_last: {\}}
  mod_mam: {default: ${MAM:-always}, request_activates_archiving: false}
  mod_offline: {access_max_user_messages: max_user_offline_messages}
  mod_ping: {}
  mod_privacy: {}
  mod_pubsub:
    host: "$pubsub.$domain"
    access_createnode: pubsub_createnode
    max_items_node: ${MAX_ITEMS:-unlimited}
    ${NODE_ITEMS:+default_node_config: {max_items: $NODE_ITEMS\}}
    plugins: ["flat", "pep"]
  mod_roster: {versioning: true}
  mod_s2s_dialback: {}
  mod_stream_mgmt: {resend_on_timeout: if_offline}
  mod_version: {}
CFG
users=$(for u in edge1 edge2 viewer; do printf 'ejabberd_auth:try_register(<<"%s">>,<<"%s">>,<<"%s-secret">>),' "$u" "$domain" "$u"; done)
rm -f "$dir/ready"
cd "$dir"
env ${wrapper:+LD_PRELOAD="$wrapper" NSS_WRAPPER_HOSTS="$dir/hosts"} HOME="$dir" ERL_LIBS="$libs" ERL_INETRC="$dir/inetrc" ERL_CRASH_DUMP_BYTES=0 \
  EJABBERD_CONFIG_PATH="$dir/ejabberd.yml" EJABBERD_LOG_PATH="$dir/ejabberd.log" \
  erl -noinput -mnesia dir "\"$dir/db\"" -s ejabberd \
  -eval "$users file:write_file(\"$dir/ready\",<<\"1\">>)." </dev/null >"$dir/out" 2>&1 &
echo $! > "$dir/pid"
i=0
until [ -s "$dir/ready" ]; do
  i=$((i + 1)); alive && [ $i -lt 900 ] || { echo "ejabberd did not start:" >&2; tail -n 20 "$dir/out" "$dir/ejabberd.log" >&2
    ! grep -q eaddrinuse "$dir/out" || ss -tanp >&2; end KILL; exit 1; }
  sleep 0.1
done
