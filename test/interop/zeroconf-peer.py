"""A peer on python-zeroconf: offers `NAME._presence._tcp` and browses the type. Arguments: NAME, ADDRESS, PORT.
Events on standard output and commands on standard input, a JSON object a line: {"op": "update", "txt": {...}}, {"op": "close"}."""
import json
import socket
import sys
import threading

from zeroconf import ServiceBrowser, ServiceInfo, ServiceStateChange, Zeroconf

TYPE = "_presence._tcp.local."


one_at_a_time = threading.Lock()  # the browser tells from a thread of its own


def say(event, **more):
    with one_at_a_time:
        print(json.dumps({"event": event, **more}), flush=True)


def described(info):
    txt = {key.decode(): None if value is None else value.decode() for key, value in info.properties.items()}
    return {"host": info.server, "port": info.port, "addresses": sorted(info.parsed_scoped_addresses()), "txt": txt}


def changed(zeroconf, service_type, name, state_change):
    instance = name[: -len(TYPE) - 1]
    if state_change is ServiceStateChange.Removed:
        say("down", instance=instance)
        return
    info = zeroconf.get_service_info(service_type, name, timeout=3000)
    if info:
        say("up" if state_change is ServiceStateChange.Added else "changed", instance=instance, **described(info))


name, address, port = sys.argv[1:4]


def offer(txt):
    return ServiceInfo(
        TYPE, f"{name}.{TYPE}", addresses=[socket.inet_aton(address)], port=int(port), properties=txt, server=f"{socket.gethostname()}.local."
    )


zeroconf = Zeroconf(interfaces=[address])
zeroconf.register_service(offer({"txtvers": "1", "status": "avail"}))
browser = ServiceBrowser(zeroconf, TYPE, handlers=[changed])
say("published")
for line in sys.stdin:
    command = json.loads(line)
    if command["op"] == "update":
        zeroconf.update_service(offer(command["txt"]))
    elif command["op"] == "close":
        break
zeroconf.close()
