#!/bin/sh
# prosody.sh start|stop|kill DIR - a throw-away Prosody, all state in DIR.
# prosody.sh password DIR USER NEW - changes it while the server runs; sessions of the account end, as always then.
# DOMAIN     default home.test; pubsub.DOMAIN is the pubsub service, edge.DOMAIN an XEP-0114 slot
# PORT       c2s STARTTLS port (15222); +1 direct TLS, +2 https (/xmpp-websocket, /http-bind), +47 s2s, +125 component
# LISTEN     the address it listens on (127.0.0.1)
# STORAGE    internal (Debian's default) or sql (SQLite; needs lua-dbi-sqlite3)
# LIMITS     e.g. "10kb/s" (Debian's default); empty = no rate limit
# MAX_ITEMS  pubsub_max_items (Prosody's own default is 256)
# PUBSUB     "no": there is no pubsub service
# PEERS      "hub.test=127.0.0.1:25269 ..." static s2s routes, instead of DNS SRV
# EXTRA      more Lua for the global section
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cmd=$1; mkdir -p "$2"; dir=$(cd "$2" && pwd)
listen=${LISTEN:-127.0.0.1}
domain=${DOMAIN:-home.test} port=${PORT:-15222}
tls=$((port + 1)) web=$((port + 2)) s2s=$((port + 47)) comp=$((port + 125))

alive() { [ -s "$dir/pid" ] && kill -0 "$(cat "$dir/pid")" 2>/dev/null; }
end() { # signal; waits until the process has gone
  alive || { rm -f "$dir/pid"; return 0; }
  kill "-$1" "$(cat "$dir/pid")"
  i=0; while alive && [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done
  if alive; then kill -KILL "$(cat "$dir/pid")"; sleep 0.2; fi
  rm -f "$dir/pid"
}
case $cmd in
  stop) end TERM; exit 0;; kill) end KILL; exit 0;; start) ;;
  password) exec prosodyctl --root --config "$dir/prosody.cfg.lua" shell user password "$3@$domain" "$4" >"$dir/shell" ;;
  *) echo "usage: $0 start|stop|kill DIR" >&2; exit 2;;
esac
alive && { echo "already running in $dir" >&2; exit 1; }

"$here/certs.sh" "$dir" "$domain"
mkdir -p "$dir/data"
peers=$(for p in ${PEERS:-}; do printf '["%s"] = "%s"; ' "${p%%=*}" "${p#*=}"; done)
[ -n "${LIMITS:-}" ] && limits="limits = { c2s = { rate = \"$LIMITS\" } }" limitsmod='"limits";' || limits= limitsmod=
pubsub=
[ "${PUBSUB:-}" = no ] || pubsub="Component \"pubsub.$domain\" \"pubsub\"
  admins = { \"edge1@$domain\"; \"edge2@$domain\" } -- only admins may create nodes
  autocreate_on_publish = false
  expose_publisher = true
  pubsub_max_items = ${MAX_ITEMS:-100000}"
cat > "$dir/prosody.cfg.lua" <<CFG
run_as_root = true
data_path = "$dir/data"
plugin_paths = { "$here/plugins" }
interfaces = { "$listen" }
c2s_ports = { $port }
c2s_direct_tls_ports = { $tls }
s2s_ports = { $s2s }
component_ports = { $comp }
component_interfaces = { "$listen" }
http_ports = {}
https_ports = { $web }
https_interfaces = { "$listen" }
http_default_host = "$domain"
log = { { levels = { min = "${LOG:-info}" }; to = "file"; filename = "$dir/prosody.log" } }
modules_enabled = {
  "disco"; "roster"; "saslauth"; "tls"; "dialback"; "ping"; "time"; "version";
  "smacks"; "mam"; "carbons"; "pep"; "blocklist"; "csi_simple"; "bosh"; "websocket"; "admin_shell"; $limitsmod "s2s_static"; ${MODULES:-}
}
$limits
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = false
s2s_static_routes = { $peers }
authentication = "internal_hashed"
storage = "${STORAGE:-internal}"
sql = { driver = "SQLite3"; database = "prosody.sqlite" }
archive_expires_after = "1w"
ssl = { certificate = "$dir/cert.pem"; key = "$dir/key.pem" }
https_ssl = ssl
${EXTRA:-}
VirtualHost "$domain"
$pubsub
Component "edge.$domain"
  component_secret = "component-secret"
CFG

for u in edge1 edge2 viewer; do
  [ -s "$dir/$u.made" ] || { prosodyctl --root --config "$dir/prosody.cfg.lua" register "$u" "$domain" "$u-secret" >/dev/null; echo 1 > "$dir/$u.made"; }
done
prosody --config "$dir/prosody.cfg.lua" -F </dev/null >"$dir/out" 2>&1 &
echo $! > "$dir/pid"
i=0
until bash -c "exec 3<>/dev/tcp/$listen/$port && exec 4<>/dev/tcp/$listen/$comp" 2>/dev/null; do
  i=$((i + 1)); alive && [ $i -lt 600 ] || { echo "prosody did not start:" >&2; tail -n 20 "$dir/out" "$dir/prosody.log" >&2; end KILL; exit 1; }
  sleep 0.1
done
