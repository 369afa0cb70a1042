"""A peer on python3-slixmpp's plugins of XEP-0060 and XEP-0050, over a stream of XEP-0174 with a key of its own. Arguments: NAME, ADDRESS, PEM (key and certificate), BOX.
It offers NAME._presence._tcp by python-zeroconf, finds the box of that name and calls it. Commands on standard input, events and answers on
standard output, a JSON object a line: {"do": METHOD, "with": {...}} calls that method of the plugin, whose answer is {"answer": XML} or
{"error": [CONDITION, APPLICATION CONDITION]}; a notification is {"event": NAME, "xml": XML}; {"do": "quit"} ends it.
In "with", "payload" is XML and "config", "options" and "fields" are forms, by field. A form that it is asked to fill in, in a message, is
{"event": "form", "xml": XML}; {"do": "answer_form", "with": {"fields": ...}} sends it back. "delete_node" takes a "redirect", too. It offers two
commands itself: "greet" asks for "name" and "loud" and greets in a note, "report" gives a form."""
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
        for plugin in ["xep_0004", "xep_0030", "xep_0050", "xep_0059", "xep_0060", "xep_0199", "xep_0203"]:
            self.register_plugin(plugin)
        register_stanza_plugin(Pubsub, Set)  # 1.8.3 pages items only with it, and forgets it
        self["feature_mechanisms"].plugin_end()
        self.add_event_handler("stream_negotiated", self.negotiated)
        self.add_event_handler("disconnected", lambda reason: say(event="disconnected", reason=str(reason)))
        for event in EVENTS:
            self.add_event_handler(f"pubsub_{event}", lambda message, event=event: say(event=event, xml=str(message)))
        self.asked = []
        self.add_event_handler("message_xform", self.is_asked)
        self.add_event_handler("message_error", lambda message: say(event="message_error", xml=str(message)))

    def is_asked(self, message):
        self.asked.append(message["form"])
        say(event="form", xml=str(message))

    def negotiated(self, _):
        if "starttls" in self.features:
            self.sessionstarted = True
            self.event("session_start")
            say(event="ready")


def offer(peer, name):
    """Two commands: one that asks first, one that answers at once."""

    def greet(_, session):
        asked = peer["xep_0004"].make_form(ftype="form", title="Whom?")
        asked.add_field(var="name", ftype="text-single", label="Name", required=True)
        asked.add_field(var="loud", ftype="boolean", label="Loud", value=False)
        session.update(payload=asked, next=greeted, has_next=False)
        return session

    def greeted(filled, session):
        values = filled.get_values()
        text = f"Hello {values['name']}"
        session.update(payload=None, next=None, notes=[("info", text.upper() if values.get("loud") in ("1", "true", True) else text)])
        return session

    def report(_, session):
        answer = peer["xep_0004"].make_form(ftype="result")
        answer.add_field(var="litres", ftype="text-single", value="12")
        answer.add_field(var="dry", ftype="boolean", value=False)
        session.update(payload=answer, next=None)
        return session

    peer["xep_0050"].add_command(jid=name, node="greet", name="Greet somebody", handler=greet)
    peer["xep_0050"].add_command(jid=name, node="report", name="Report", handler=report)


def filled_in(peer, fields):
    made = peer["xep_0004"].make_form(ftype="submit")
    for name, value in fields.items():
        made.add_field(var=name, value=value)
    return [made]


def form(peer, kind, fields):
    made = peer["xep_0004"].make_form(ftype="submit")
    made.add_field(var="FORM_TYPE", ftype="hidden", value=f"http://jabber.org/protocol/pubsub#{kind}")
    for name, value in fields.items():
        made.add_field(var=f"pubsub#{name}", value=value)
    return made


def answer_form(peer, box, fields):
    filled = peer.asked.pop(0)
    filled.set_values(fields)
    filled.reply()
    message = peer.make_message(mto=box)
    message.append(filled)
    message.send()
    say(answer=str(message))


def delete_node(peer, box, node, redirect):
    """1.8.3 has no word for where it is from then on."""
    iq = peer.Iq(sto=box, stype="set")
    iq["pubsub_owner"]["delete"]["node"] = node
    iq["pubsub_owner"]["delete"].xml.append(ElementTree.Element("{http://jabber.org/protocol/pubsub#owner}redirect", uri=redirect))
    return iq.send(timeout=10)


async def answer(peer, box, command):
    words = dict(command.get("with", {}))
    if command["do"] == "answer_form":
        answer_form(peer, box, **words)
        return
    if "payload" in words:
        words["payload"] = ElementTree.fromstring(words["payload"])
    for name, kind in [("config", "node_config"), ("options", "publish-options" if command["do"] == "publish" else "subscribe_options")]:
        if name in words:
            words[name] = form(peer, kind, words[name])
    if "fields" in words:
        words["payload"] = filled_in(peer, words.pop("fields"))
    plugin = {"get_info": "xep_0030", "get_commands": "xep_0050", "send_command": "xep_0050"}.get(command["do"], "xep_0060")
    method = getattr(peer[plugin], command["do"])
    try:
        result = delete_node(peer, box, **words) if "redirect" in words else method(box, timeout=10, **words)
        if hasattr(result, "__aiter__"):
            say(answer="".join([str(page) async for page in result]))
        else:
            say(answer=str(await result))
    except IqError as error:
        application = [child.tag for child in error.iq.xml.find("{jabber:client}error") if child.tag.startswith(("{http://jabber.org/protocol/pubsub", "{http://jabber.org/protocol/commands"))]
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
    offer(peer, name)
    peer.connect((found.parsed_addresses()[0], found.port))
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        if command["do"] == "quit":
            break
        await answer(peer, box, command)
    await peer.disconnect(wait=1)
    await loop.run_in_executor(None, zeroconf.close)


asyncio.run(main())
