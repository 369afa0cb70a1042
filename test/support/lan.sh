#!/bin/sh
# A private LAN of network namespaces for mDNS/XEP-0174 tests. Needs root.
#
#   lan.sh up N               switch $LAN-sw + hosts $LAN-h1..$LAN-hN (10.77.0.i/24, fe80::/64 on eth0)
#   lan.sh avahi I            give host I a private /run, dbus-daemon and avahi-daemon
#   lan.sh exec I CMD...      run CMD in host I, under its own host name (with host I's /run, when it has one)
#   lan.sh cut I              drop everything between host I and the switch, silently; its link stays up
#   lan.sh restore I
#   lan.sh port I SETTING V   host I's port of the switch: isolated on|off, mcast_flood on|off, mtu N, link up|down
#   lan.sh segment I K        plug host I into segment K (0 to 9) of the switch; segments do not hear each other
#   lan.sh attach I DEV K     give host I another device, plugged into segment K
#   lan.sh down               kill whatever runs in these namespaces and remove them
#   lan.sh sweep              the same for every LAN whose owner process has gone
#
# LAN        prefix of the namespaces, lpPID-K; PID is the process that owns it
# LAN_STATE  folder for avahi's configuration, pid files and logs
# LAN_NAMES  host names, in order, separated by spaces (default h1 h2 ...)
set -eu
PATH=$PATH:/usr/sbin:/sbin

host_name() {
	i=$1
	set -- ${LAN_NAMES:-}
	shift "$((i - 1))" 2>/dev/null || set --
	echo "${1:-h$i}"
}

up() {
	mkdir -p "$LAN_STATE"
	ip netns add "$LAN-sw"
	ip -n "$LAN-sw" link set lo up
	bridge_add 0
	i=1
	while [ "$i" -le "$1" ]; do
		ns=$LAN-h$i
		ip netns add "$ns"
		ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.accept_dad=0
		ip link add eth0 netns "$ns" type veth peer name "port$i" netns "$LAN-sw"
		ip -n "$LAN-sw" link set "port$i" master br0 up
		ip -n "$ns" link set lo up
		ip -n "$ns" link set eth0 up allmulticast on
		ip -n "$ns" addr add "10.77.0.$i/24" brd + dev eth0
		ip -n "$ns" route add 224.0.0.0/4 dev eth0
		i=$((i + 1))
	done
}

bridge_add() {
	ip -n "$LAN-sw" link show "br$1" >/dev/null 2>&1 && return
	ip -n "$LAN-sw" link add "br$1" type bridge mcast_snooping 0 forward_delay 0
	ip -n "$LAN-sw" link set "br$1" up
}

attach() {
	bridge_add "$3"
	ip link add "$2" netns "$LAN-h$1" type veth peer name "port$1$2" netns "$LAN-sw"
	ip -n "$LAN-sw" link set "port$1$2" master "br$3" up
	ip -n "$LAN-h$1" link set "$2" up allmulticast on
}

# Own mount and UTS namespaces per host let several avahi-daemons (and system
# buses) live on one machine: their sockets are at fixed paths under /run.
avahi() {
	[ ! -e "$LAN_STATE/h$1.pid" ] || { echo "host $1 already runs avahi" >&2; exit 1; }
	cat > "$LAN_STATE/avahi.conf" <<-CONF
		[server]
		use-ipv4=yes
		use-ipv6=yes
		allow-interfaces=eth0
		[publish]
		publish-hinfo=no
		publish-workstation=no
	CONF
	ip netns exec "$LAN-h$1" unshare --mount --uts sh -c '
		set -e
		hostname "$1"
		mount -t tmpfs tmpfs /run
		mkdir -p /run/dbus /run/avahi-daemon
		dbus-daemon --system --nopidfile --fork
		exec avahi-daemon --file="$2" --no-rlimits --no-chroot --no-drop-root
	' sh "$(host_name "$1")" "$LAN_STATE/avahi.conf" > "$LAN_STATE/h$1.log" 2>&1 < /dev/null &
	pid=$!
	until grep -q 'Server startup complete' "$LAN_STATE/h$1.log"; do
		kill -0 "$pid" || { cat "$LAN_STATE/h$1.log" >&2; exit 1; }
		sleep 0.1
	done
	echo "$pid" > "$LAN_STATE/h$1.pid"
}

host_exec() {
	i=$1
	shift
	if [ -e "$LAN_STATE/h$i.pid" ]; then
		exec nsenter -t "$(cat "$LAN_STATE/h$i.pid")" --mount --uts --net --wd="$PWD" -- "$@"
	else
		# A mount is seen in the namespace that `ip netns exec` makes, and ends with it.
		exec ip netns exec "$LAN-h$i" unshare --uts sh -c '
			hostname "$1"
			[ ! -e "$2" ] || mount --bind "$2" /etc/resolv.conf
			shift 2
			exec "$@"
		' sh "$(host_name "$i")" "$LAN_STATE/h$i.resolv" "$@"
	fi
}

# Removes the namespaces whose names begin with "$1-".
remove() {
	for ns in $(ip netns list | awk -v p="$1-" 'index($1, p) == 1 { print $1 }'); do
		for pid in $(ip netns pids "$ns" 2>/dev/null); do
			kill -9 "$pid" 2>/dev/null || :
		done
		ip netns del "$ns" 2>/dev/null || : # another sweep was quicker
	done
}

sweep() {
	for lan in $(ip netns list | sed -n 's/^\(lp[0-9]*-[0-9]*\)-sw.*/\1/p'); do
		owner=${lan#lp}
		kill -0 "${owner%%-*}" 2>/dev/null || remove "$lan"
	done
}

case ${1-} in
up) up "$2" ;;
avahi) avahi "$2" ;;
exec) shift; host_exec "$@" ;;
resolver) echo "nameserver $3" > "$LAN_STATE/h$2.resolv" ;;
cut) bridge -n "$LAN-sw" link set dev "port$2" state 0 ;;
restore) bridge -n "$LAN-sw" link set dev "port$2" state 3 ;;
port)
	case $3 in
	mtu) ip -n "$LAN-sw" link set "port$2" mtu "$4" ;;
	link) ip -n "$LAN-sw" link set "port$2" "$4" ;;
	*) bridge -n "$LAN-sw" link set dev "port$2" "$3" "$4" ;;
	esac ;;
attach) attach "$2" "$3" "$4" ;;
segment) bridge_add "$3"; ip -n "$LAN-sw" link set "port$2" master "br$3" ;;
down) remove "$LAN"; rm -rf "$LAN_STATE" ;;
sweep) sweep ;;
*) sed -n '2,20s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
