// XEP-0060 over XMPP: over a client's stream to a server (RFC 6120), and over a stream on the link (XEP-0174), there in
// the clear or, with a key, under TLS, where stanzas are counted (XEP-0198).
#define _GNU_SOURCE
#include "load.h"
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NS_PUBSUB "http://jabber.org/protocol/pubsub"
#define NS_SM "urn:xmpp:sm:3"
/** What stands before the time in an item, and the time's digits. */
#define MARK "T:"
#define DIGITS 16

/** Who the client is, as it says itself. */
static const char *own(connection *client) {
	static char name[64];
	if (asked.protocol == &XMPP) snprintf(name, sizeof name, "load@localhost/%d", client->index);
	else snprintf(name, sizeof name, "device-%04d@host-%d", asked.first + client->index, asked.first + client->index);
	return name;
}

static void header(connection *client) {
	say(client, "<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'");
	if (asked.protocol == &LINK) say(client, " to='%s' from='%s'>", asked.to, own(client));
	else say(client, " to='localhost'>");
	await(client, "</stream:features>");
}

static void begin_with_server(connection *client) {
	header(client);
	const char plain[] = "\0load\0secret";
	char encoded[64];
	EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)plain, sizeof plain - 1);
	say(client, "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>%s</auth>", encoded);
	await(client, "<success");
	header(client);
	say(client, "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>%d</resource></bind></iq>", client->index);
	await(client, "</iq>");
}

static void begin_on_link(connection *client) {
	header(client);
	if (!*asked.keys) return;
	say(client, "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
	await(client, "<proceed");
	secure(client);
	header(client);
	say(client, "<enable xmlns='" NS_SM "'/>");
	await(client, "<enabled");
	client->stanzas = 0;
}

static void request(connection *client, const char *id) {
	say(client, "<iq type='set' id='%s' to='%s'", id, asked.to);
	if (asked.protocol == &LINK) say(client, " from='%s'", own(client));
	say(client, ">");
}

/** The server's topic, kept or not, as asked. */
static void prepare_at_server(connection *client) {
	request(client, "create");
	say(client, "<pubsub xmlns='" NS_PUBSUB "'><create node='%s'/><configure><x xmlns='jabber:x:data' type='submit'>"
		"<field var='FORM_TYPE' type='hidden'><value>" NS_PUBSUB "#node_config</value></field>"
		"<field var='pubsub#persist_items'><value>%d</value></field></x></configure></pubsub></iq>", asked.topic, asked.durable);
	await(client, "id='create'");
}

/** The box's owner has made it. */
static void prepare_on_link(connection *client) {
	(void)client;
}

static void subscribe(connection *client) {
	request(client, "subscribe");
	say(client, "<pubsub xmlns='" NS_PUBSUB "'><subscribe node='%s' jid='%s'/>", asked.topic, own(client));
	if (asked.protocol == &LINK && *asked.keys) say(client, "<reader xmlns='urn:lanpost:0' name='load' durable='%s'/>", asked.durable ? "true" : "false");
	say(client, "</pubsub></iq>");
	await(client, "</iq>");
	if (client->stanzas >= 0) client->stanzas++;
}

static void end(connection *client) {
	say(client, "</stream:stream>");
}

static void publish(connection *client, uint64_t number, uint64_t stamp) {
	static char padding[1 << 16];
	if (!padding[0]) memset(padding, 'x', sizeof padding);
	char id[32];
	snprintf(id, sizeof id, "%lu", number);
	request(client, id);
	// A server that keeps items is spared keeping more than one.
	say(client, "<pubsub xmlns='" NS_PUBSUB "'><publish node='%s'><item%s><e xmlns='urn:example:load'>" MARK "%016lx",
		asked.topic, asked.protocol == &XMPP ? " id='current'" : "", stamp);
	put(&client->out, padding, asked.payload - sizeof MARK - DIGITS);
	say(client, "</e></item></publish></pubsub></iq>");
}

static char *find(char *from, char *end, const char *text) {
	return from < end ? memmem(from, end - from, text, strlen(text)) : NULL;
}

static void items_in(char *at, char *end) {
	while ((at = find(at, end, ">" MARK))) {
		delivered(strtoull(at + 1 + strlen(MARK), NULL, 16));
		at += strlen(MARK) + DIGITS;
	}
}

/** Where the stanza, or whatever stands there, ends; nothing: it has not come whole yet. */
static char *end_of(char *at, char *end) {
	char *tag = memchr(at, '>', end - at);
	if (!tag) return NULL;
	if (tag[-1] == '/') return tag + 1;
	const char *closing = at[1] == 'm' ? "</message>" : at[1] == 'i' ? "</iq>" : at[1] == 'p' ? "</presence>" : at[1] == '/' ? ">" : NULL;
	if (!closing) die("a stanza that is not known");
	char *found = find(at, end, closing);
	return found ? found + strlen(closing) : NULL;
}

static void read_stanzas(connection *client) {
	buffer *in = &client->in;
	char *at = in->bytes + in->from, *end = in->bytes + in->end, *next;
	for (; at < end; at = next) {
		if (*at != '<') {
			next = at + 1;
			continue;
		}
		if (end - at < 2 || !(next = end_of(at, end))) break;
		if (at[1] == 'r') client->asked = true;
		if (at[1] != 'm' && at[1] != 'i') continue;
		if (client->stanzas >= 0) client->stanzas++;
		if (at[1] == 'm') items_in(at, next);
		else if (find(at, next, "type='error'")) die("a request was refused");
		else acknowledged();
	}
	in->from = at - in->bytes;
	if (!client->asked) return;
	client->asked = false;
	say(client, "<a xmlns='" NS_SM "' h='%ld'/>", client->stanzas);
}

const protocol XMPP = {
	.name = "xmpp", .begin = begin_with_server, .prepare = prepare_at_server, .subscribe = subscribe, .end = end, .publish = publish, .read = read_stanzas,
};
const protocol LINK = {
	.name = "link", .begin = begin_on_link, .prepare = prepare_on_link, .subscribe = subscribe, .end = end, .publish = publish, .read = read_stanzas,
};
