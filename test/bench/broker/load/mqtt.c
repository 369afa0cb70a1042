// MQTT 3.1.1.
#include "load.h"
#include <stdio.h>
#include <string.h>

enum { CONNECT = 0x10, CONNACK = 0x20, PUBLISH = 0x30, PUBACK = 0x40, SUBSCRIBE = 0x82, SUBACK = 0x90, DISCONNECT = 0xe0 };

static void put_length(buffer *out, size_t length) {
	do {
		uint8_t digit = length & 127;
		length >>= 7;
		if (length) digit |= 128;
		put(out, &digit, 1);
	} while (length);
}

static void put_byte(buffer *out, uint8_t byte) {
	put(out, &byte, 1);
}

static void put_short(buffer *out, unsigned value) {
	uint8_t bytes[] = { value >> 8, value };
	put(out, bytes, 2);
}

static void put_text(buffer *out, const char *text) {
	put_short(out, strlen(text));
	put(out, text, strlen(text));
}

/** The whole packet at `in.from`, or nothing; its body begins at `*body`. */
static size_t packet(buffer *in, size_t *body) {
	size_t length = 0, at = in->from + 1;
	for (int shift = 0; at < in->end && shift < 28; shift += 7) {
		uint8_t digit = in->bytes[at++];
		length |= (size_t)(digit & 127) << shift;
		if (digit & 128) continue;
		*body = at;
		return at + length <= in->end ? at + length - in->from : 0;
	}
	return 0;
}

/** The answer that is waited for; items may come right behind it. */
static uint8_t awaited;

static void expect(connection *client, uint8_t type) {
	flush(client);
	awaited = type;
	while (awaited) if (!receive(client)) die("the broker hung up");
}

static void begin(connection *client) {
	char id[32];
	snprintf(id, sizeof id, "load%d", client->index);
	put_byte(&client->out, CONNECT);
	put_length(&client->out, 10 + 2 + strlen(id));
	put_text(&client->out, "MQTT");
	put_byte(&client->out, 4);
	put_byte(&client->out, asked.durable && client->index > 0 ? 0 : 2); // clean session
	put_short(&client->out, 0);
	put_text(&client->out, id);
	expect(client, CONNACK);
}

static void prepare(connection *client) {
	(void)client;
}

static void subscribe(connection *client) {
	put_byte(&client->out, SUBSCRIBE);
	put_length(&client->out, 2 + 2 + strlen(asked.topic) + 1);
	put_short(&client->out, 1);
	put_text(&client->out, asked.topic);
	put_byte(&client->out, asked.qos);
	expect(client, SUBACK);
}

static void end(connection *client) {
	put_short(&client->out, DISCONNECT << 8);
}

static void publish(connection *client, uint64_t number, uint64_t stamp) {
	static char padding[1 << 16];
	put_byte(&client->out, PUBLISH | asked.qos << 1);
	put_length(&client->out, 2 + strlen(asked.topic) + (asked.qos ? 2 : 0) + asked.payload);
	put_text(&client->out, asked.topic);
	if (asked.qos) put_short(&client->out, 1 + number % 65535);
	put(&client->out, &stamp, sizeof stamp);
	put(&client->out, padding, asked.payload - sizeof stamp);
}

static void arrived(connection *client, const char *body, uint8_t flags) {
	const char *rest = body + 2 + ((uint8_t)body[0] << 8 | (uint8_t)body[1]);
	if (flags & 6) {
		put_short(&client->out, PUBACK << 8 | 2);
		put(&client->out, rest, 2);
		rest += 2;
	}
	uint64_t stamp;
	memcpy(&stamp, rest, sizeof stamp);
	delivered(stamp);
}

static void read_packets(connection *client) {
	buffer *in = &client->in;
	size_t body, length;
	while (in->end - in->from >= 2 && (length = packet(in, &body)) > 0) {
		uint8_t type = in->bytes[in->from];
		uint8_t kind = type & 0xf0;
		if (kind == awaited) awaited = 0;
		if (kind == PUBLISH) arrived(client, in->bytes + body, type);
		else if (kind == PUBACK) acknowledged();
		else if (kind == CONNACK && in->bytes[body + 1]) die("the broker refuses");
		in->from += length;
	}
}

const protocol MQTT = {
	.name = "mqtt", .begin = begin, .prepare = prepare, .subscribe = subscribe, .end = end, .publish = publish, .read = read_packets,
};
