// What the parts of the load generator share. One process, one thread, epoll; raw protocols, so that it costs far
// less than what it measures.
#ifndef LOAD_H
#define LOAD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Bytes in memory: what lies between `from` and `end` counts. */
typedef struct buffer {
	char *bytes;
	size_t from, end, size;
} buffer;

typedef struct connection {
	int fd;
	SSL *tls;
	/** Which of the clients it is: the publisher has 0. */
	int index;
	buffer in, out;
	/** Whether it waits until the socket takes more. */
	bool blocked;
	/** Stanzas received and counted (XEP-0198); -1 when they are not. */
	int64_t stanzas;
	/** The other side has asked for that number. */
	bool asked;
} connection;

typedef struct protocol {
	const char *name;
	/** Everything up to being able to publish or subscribe; blocks. */
	void (*begin)(connection *client);
	/** Makes the topic, if there must be one; blocks. */
	void (*prepare)(connection *client);
	void (*subscribe)(connection *client);
	/** Says farewell, so that nothing is lost with the connection. */
	void (*end)(connection *client);
	/** Puts one item into `out`, with its time. */
	void (*publish)(connection *client, uint64_t number, uint64_t stamp);
	/** Reads what is complete in `in`: calls `delivered` and `acknowledged`. */
	void (*read)(connection *client);
} protocol;

extern const protocol MQTT, XMPP, LINK;

/** What is to be measured, as the command line says. */
typedef struct options {
	const protocol *protocol;
	/** `flow`, `backlog` or `disk`. */
	const char *mode;
	const char *host;
	/** Client n calls from this address plus n; empty: from whichever. */
	const char *from;
	int port, subscribers, payload, window, qos;
	/** Of the first client; their names have it in them. */
	int first;
	long count, warm;
	/** Items a second; 0: as fast as they are answered. */
	double rate;
	/** Whether subscriptions outlive their connections. */
	bool durable;
	/** A folder with N.key and N.crt of each client; empty: in the clear. */
	const char *keys;
	/** What the server is called, and the topic. */
	const char *to, *topic;
	const char *dir;
} options;

extern options asked;

uint64_t now(void);
void die(const char *what);

void put(buffer *buffer, const void *bytes, size_t count);
void say(connection *client, const char *format, ...);
connection *dial(int index);
/** Writes what can be written; what cannot waits. */
void flush(connection *client);
/** Reads what there is; false: the other side has hung up. */
bool receive(connection *client);
/** From here on nothing blocks. */
void unblock(connection *client, int epoll);
/** Blocks until `text` has come; what comes after it stays in `in`. */
void await(connection *client, const char *text);
/** TLS from here on, with the client's own key. */
void secure(connection *client);
void hang_up(connection *client);

/** An item has come, which was published at `stamp`. */
void delivered(uint64_t stamp);
void acknowledged(void);

#endif
