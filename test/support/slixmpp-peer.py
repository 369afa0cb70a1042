"""A peer on python3-slixmpp's XEP-0060 plugin, over a stream of XEP-0174 with a key of its own. Arguments: NAME, ADDRESS, PEM (key and certificate), BOX.
It offers NAME._presence._tcp by python-zeroconf, finds the box of that name and calls it. Commands on standard input, events and answers on
standard output, a JSON object a line: {"do": METHOD, "with": {...}} calls that method of the plugin, whose answer is {"answer": XML} or
{"error": [CONDITION, APPLICATION CONDITION]}; a notification is {"event": NAME, "xml": XML}; {"do": "quit"} ends it.
In "with", "payload" is XML and "config", "options" are forms, by field."""
import asyncio
import json
import socket
import ssl
import sys
from xml.etree import ElementTree

import slixmpp
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0059.stanza import Set
from slixmpp.plugins.xep_0060.stanza.pubsub import Pubsub
from slixmpp.xmlstream import register_stanza_plugin
from zeroconf import ServiceInfo, Zeroconf

TYPE = "_presence._tcp.local."
EVENTS = ["publish", "retract", "purge", "delete", "config", "subscription"]


def say(**more):
    print(json.dumps(more), flush=True)


class Peer(slixmpp.ClientXMPP):
    """Only what makes a client stream one between peers is said here: who it is from, and that nobody logs in or binds."""

    def __init__(self, name, box, pem):
        super().__init__(name, "")
        self.certfile = self.keyfile = pem
        self.ssl_context.check_hostname = False  # between peers nobody vouches for a key
        self.ssl_context.verify_mode = ssl.CERT_NONE
        self.stream_header = (
            f"<stream:stream from='{name}' to='{box}' xmlns:stream='{self.stream_ns}' xmlns='{self.default_ns}' version='1.0'>"
        )
        for plugin in ["xep_0004", "xep_0030", "xep_0059", "xep_0060", "xep_0199", "xep_0203"]:
            self.register_plugin(plugin)
        register_stanza_plugin(Pubsub, Set)  # 1.8.3 pages items only with it, and forgets it
        self["feature_mechanisms"].plugin_end()
        self.add_event_handler("stream_negotiated", self.negotiated)
        self.add_event_handler("disconnected", lambda reason: say(event="disconnected", reason=str(reason)))
        for event in EVENTS:
            self.add_event_handler(f"pubsub_{event}", lambda message, event=event: say(event=event, xml=str(message)))
        self.add_event_handler("message_error", lambda message: say(event="message_error", xml=str(message)))

    def negotiated(self, _):
        if "starttls" in self.features:
            self.sessionstarted = True
            self.event("session_start")
            say(event="ready")


def form(peer, kind, fields):
    made = peer["xep_0004"].make_form(ftype="submit")
    made.add_field(var="FORM_TYPE", ftype="hidden", value=f"http://jabber.org/protocol/pubsub#{kind}")
    for name, value in fields.items():
        made.add_field(var=f"pubsub#{name}", value=value)
    return made


async def answer(peer, box, command):
    words = dict(command.get("with", {}))
    if "payload" in words:
        words["payload"] = ElementTree.fromstring(words["payload"])
    for name, kind in [("config", "node_config"), ("options", "subscribe_options")]:
        if name in words:
            words[name] = form(peer, kind, words[name])
    method = getattr(peer["xep_0030" if command["do"] == "get_info" else "xep_0060"], command["do"])
    try:
        result = method(box, timeout=10, **words)
        if hasattr(result, "__aiter__"):
            say(answer="".join([str(page) async for page in result]))
        else:
            say(answer=str(await result))
    except IqError as error:
        application = [child.tag for child in error.iq.xml.find("{jabber:client}error") if child.tag.startswith("{http://jabber.org/protocol/pubsub")]
        say(error=[error.condition, *[tag.split("}")[1] for tag in application]])


async def main():
    name, address, pem, box = sys.argv[1:5]
    zeroconf = Zeroconf(interfaces=[address])
    offered = ServiceInfo(TYPE, f"{name}.{TYPE}", addresses=[socket.inet_aton(address)], port=5299, properties={"txtvers": "1", "status": "avail"},
                          server=f"{socket.gethostname()}.local.")
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, zeroconf.register_service, offered)
    found = None
    while not found:
        found = await loop.run_in_executor(None, lambda: zeroconf.get_service_info(TYPE, f"{box}.{TYPE}", timeout=1000))
    peer = Peer(name, box, pem)
    peer.connect((found.parsed_addresses()[0], found.port))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        if command["do"] == "quit":
            break
        await answer(peer, box, command)
    await peer.disconnect(wait=1)
    await loop.run_in_executor(None, zeroconf.close)


asyncio.run(main())
