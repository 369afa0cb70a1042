// Sockets and TLS, blocking while a client introduces itself, then not any more.
#define _GNU_SOURCE
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_AT_ONCE 65536

static void room(buffer *buffer, size_t count) {
	if (buffer->from == buffer->end) buffer->from = buffer->end = 0;
	if (buffer->end + count <= buffer->size) return;
	if (buffer->from > 0) {
		memmove(buffer->bytes, buffer->bytes + buffer->from, buffer->end - buffer->from);
		buffer->end -= buffer->from;
		buffer->from = 0;
	}
	if (buffer->end + count <= buffer->size) return;
	buffer->size = (buffer->end + count) * 2;
	buffer->bytes = realloc(buffer->bytes, buffer->size);
	if (!buffer->bytes) die("memory");
}

void put(buffer *buffer, const void *bytes, size_t count) {
	room(buffer, count);
	memcpy(buffer->bytes + buffer->end, bytes, count);
	buffer->end += count;
}

void say(connection *client, const char *format, ...) {
	char text[4096];
	va_list values;
	va_start(values, format);
	int length = vsnprintf(text, sizeof text, format, values);
	va_end(values);
	if (length < 0 || (size_t)length >= sizeof text) die("text");
	put(&client->out, text, length);
}

connection *dial(int index) {
	connection *client = calloc(1, sizeof *client);
	client->index = index;
	client->stanzas = -1;
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int on = 1;
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	struct sockaddr_in address = { .sin_family = AF_INET };
	if (*asked.from) {
		if (inet_pton(AF_INET, asked.from, &address.sin_addr) != 1) die("from");
		address.sin_addr.s_addr = htonl(ntohl(address.sin_addr.s_addr) + asked.first + index);
		if (bind(client->fd, (void *)&address, sizeof address)) die("bind");
	}
	if (inet_pton(AF_INET, asked.host, &address.sin_addr) != 1) die("host");
	address.sin_port = htons(asked.port);
	if (connect(client->fd, (void *)&address, sizeof address)) die("connect");
	return client;
}

static ssize_t give(connection *client, const char *bytes, size_t count) {
	if (!client->tls) return send(client->fd, bytes, count, MSG_NOSIGNAL);
	int written = SSL_write(client->tls, bytes, count > INT32_MAX ? INT32_MAX : count);
	if (written > 0) return written;
	int error = SSL_get_error(client->tls, written);
	errno = error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? EAGAIN : EPIPE;
	return -1;
}

static ssize_t take(connection *client, char *bytes, size_t count) {
	if (!client->tls) return recv(client->fd, bytes, count, 0);
	int taken = SSL_read(client->tls, bytes, count);
	if (taken > 0) return taken;
	int error = SSL_get_error(client->tls, taken);
	if (error == SSL_ERROR_ZERO_RETURN) return 0;
	errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPIPE;
	return -1;
}

static int watching = -1;

static void watch(connection *client, bool blocked) {
	if (watching < 0 || client->blocked == blocked) return;
	struct epoll_event event = { .events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = client };
	epoll_ctl(watching, EPOLL_CTL_MOD, client->fd, &event);
	client->blocked = blocked;
}

void flush(connection *client) {
	buffer *out = &client->out;
	while (out->from < out->end) {
		ssize_t written = give(client, out->bytes + out->from, out->end - out->from);
		if (written > 0) out->from += written;
		else if (errno == EAGAIN) return watch(client, true);
		else die("write");
	}
	watch(client, false);
}

bool receive(connection *client) {
	for (;;) {
		room(&client->in, READ_AT_ONCE);
		ssize_t count = take(client, client->in.bytes + client->in.end, READ_AT_ONCE);
		if (count == 0) return false;
		if (count < 0) return errno == EAGAIN;
		client->in.end += count;
		asked.protocol->read(client);
		if (!client->tls && count < READ_AT_ONCE) return true;
	}
}

void unblock(connection *client, int epoll) {
	fcntl(client->fd, F_SETFL, O_NONBLOCK);
	watching = epoll;
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = client };
	epoll_ctl(epoll, EPOLL_CTL_ADD, client->fd, &event);
}

void await(connection *client, const char *text) {
	flush(client);
	buffer *in = &client->in;
	for (char *found; ; ) {
		char *from = in->bytes + in->from;
		size_t length = in->end - in->from;
		if (length > 0 && (found = memmem(from, length, text, strlen(text)))) {
			in->from += found - from + strlen(text);
			return;
		}
		room(in, READ_AT_ONCE);
		ssize_t count = take(client, in->bytes + in->end, READ_AT_ONCE);
		if (count > 0) in->end += count;
		from = in->bytes + in->from;
		length = in->end - in->from;
		if (count <= 0 || memmem(from, length, "type='error'", 12) || memmem(from, length, "<failure", 8)) {
			fprintf(stderr, "load: client %d got %.*s while it waited for %s\n", client->index, (int)length, from, text);
			exit(1);
		}
	}
}

void secure(connection *client) {
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
	SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	char path[1024];
	snprintf(path, sizeof path, "%s/%d.crt", asked.keys, asked.first + client->index);
	if (SSL_CTX_use_certificate_file(context, path, SSL_FILETYPE_PEM) != 1) die("certificate");
	snprintf(path, sizeof path, "%s/%d.key", asked.keys, asked.first + client->index);
	if (SSL_CTX_use_PrivateKey_file(context, path, SSL_FILETYPE_PEM) != 1) die("key");
	client->tls = SSL_new(context);
	SSL_set_fd(client->tls, client->fd);
	if (SSL_connect(client->tls) != 1) die("TLS");
	SSL_CTX_free(context);
}

void hang_up(connection *client) {
	flush(client);
	if (client->tls) SSL_shutdown(client->tls);
	shutdown(client->fd, SHUT_WR);
	// Until the other side has read all.
	char rest[4096];
	while (recv(client->fd, rest, sizeof rest, 0) > 0) continue;
	close(client->fd);
	SSL_free(client->tls);
	free(client->in.bytes);
	free(client->out.bytes);
	free(client);
}
