// load protocol=mqtt|xmpp|link mode=flow|backlog|disk NAME=VALUE…: one measurement, printed as one JSON object.
//   flow     one publisher, and subscribers who are there: as fast as it goes within `window`, or at a `rate`
//   backlog  a durable subscriber is away while `count` items and `warm` before them are published, and then is back:
//            `perSecond` is of the publishing, the rest of what comes then
//   disk     `count` appends of `payload` bytes to a file in `dir`, each with its fdatasync; back to back, or at a `rate`
#define _GNU_SOURCE
#include "load.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/** Nothing moves for so long: it has failed. */
#define STALLED 15000000000ull
/** How often items are due at a rate, at most; ns. */
#define TICK 250000

options asked = {
	.protocol = &MQTT, .mode = "flow", .host = "127.0.0.1", .from = "", .payload = 100, .window = 256, .subscribers = 1, .count = 10000,
	.keys = "", .to = "localhost", .topic = "bench", .dir = ".",
};

static long sent, acks, deliveries;
static uint64_t *waits;
static long measured, most;
static bool measuring;

uint64_t now(void) {
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ull + time.tv_nsec;
}

void die(const char *what) {
	fprintf(stderr, "load: %s: %s (%ld sent, %ld acknowledged, %ld delivered)\n", what, strerror(errno), sent, acks, deliveries);
	exit(1);
}

void delivered(uint64_t stamp) {
	deliveries++;
	if (measuring && measured < most) waits[measured++] = now() - stamp;
}

void acknowledged(void) {
	acks++;
}

static int ascending(const void *a, const void *b) {
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;
	return one < other ? -1 : one > other;
}

static double ms(double share) {
	return measured > 0 ? waits[(long)((measured - 1) * share)] / 1e6 : 0;
}

static void report(double seconds, long published, long received) {
	qsort(waits, measured, sizeof *waits, ascending);
	printf("{\"seconds\":%.4f,\"perSecond\":%.1f,\"deliveredPerSecond\":%.1f,\"p50\":%.4f,\"p99\":%.4f}\n",
		seconds, published / seconds, received / seconds, ms(0.5), ms(0.99));
}

/** Whether publishing is confirmed: MQTT's QoS 0 is not. */
static bool confirmed(void) {
	return asked.protocol != &MQTT || asked.qos > 0;
}

static connection *client(int index) {
	connection *made = dial(index);
	asked.protocol->begin(made);
	return made;
}

/** So many items may be published by now. */
static long due(long total, uint64_t begun, int subscribers) {
	if (asked.rate > 0) {
		long on_time = (now() - begun) / 1e9 * asked.rate;
		return on_time < total ? on_time : total;
	}
	long least = confirmed() ? acks : sent;
	if (subscribers > 0 && deliveries / subscribers < least) least = deliveries / subscribers;
	return least + asked.window < total ? least + asked.window : total;
}

/** Wakes the loop so often that what is due at a rate goes out in time. Its event has no client. */
static int tick(int epoll) {
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	struct itimerspec every = { { 0, TICK }, { 0, TICK } };
	timerfd_settime(timer, 0, &every, NULL);
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };
	epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
	return timer;
}

static int timer = -1;

/** Waits for what comes, and reads it. */
static void turn(int epoll) {
	static uint64_t moved;
	static long before;
	struct epoll_event events[256];
	int ready = epoll_wait(epoll, events, 256, 1000);
	for (int i = 0; i < ready; i++) {
		connection *client = events[i].data.ptr;
		uint64_t ticks;
		if (!client) {
			if (read(timer, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer");
			continue;
		}
		if ((events[i].events & ~EPOLLOUT) && !receive(client)) die("the other side hung up");
		flush(client);
	}
	// Questions and answers about streams go on whatever happens.
	if (moved == 0 || sent + acks + deliveries != before) moved = now();
	before = sent + acks + deliveries;
	if (now() - moved > STALLED) die("nothing moves");
}

/** Publishes until `total` have been, and all that follows from it has come. */
static void flow(int epoll, connection *publisher, int subscribers, long total, uint64_t begun) {
	for (;;) {
		while (sent < due(total, begun, subscribers)) {
			asked.protocol->publish(publisher, sent, now());
			sent++;
			if (asked.rate > 0) flush(publisher);
		}
		flush(publisher);
		if (sent == total && deliveries >= total * subscribers && (!confirmed() || acks >= total)) return;
		turn(epoll);
	}
}

static void measure_flow(void) {
	int count = 1 + asked.subscribers;
	connection **clients = calloc(count, sizeof *clients);
	clients[0] = client(0);
	asked.protocol->prepare(clients[0]);
	for (int i = 1; i < count; i++) asked.protocol->subscribe(clients[i] = client(i));
	int epoll = epoll_create1(0);
	for (int i = 0; i < count; i++) unblock(clients[i], epoll);
	if (asked.rate > 0) timer = tick(epoll);
	flow(epoll, clients[0], asked.subscribers, asked.warm, now());
	measuring = true;
	uint64_t begun = now();
	long before = sent, had = deliveries;
	// The measured part begins with nothing due.
	uint64_t origin = begun - (asked.rate > 0 ? (uint64_t)(sent / asked.rate * 1e9) : 0);
	flow(epoll, clients[0], asked.subscribers, asked.warm + asked.count, origin);
	report((now() - begun) / 1e9, sent - before, deliveries - had);
}

static void measure_backlog(void) {
	connection *reader = client(1);
	asked.protocol->subscribe(reader);
	asked.protocol->end(reader);
	hang_up(reader);
	connection *publisher = client(0);
	int epoll = epoll_create1(0);
	unblock(publisher, epoll);
	flow(epoll, publisher, 0, asked.warm, now());
	uint64_t filling = now();
	flow(epoll, publisher, 0, asked.warm + asked.count, filling);
	double filled = (now() - filling) / 1e9;
	// Whatever was put off is done before the reader's time begins.
	usleep(500000);
	measuring = true;
	uint64_t begun = now();
	reader = client(1);
	unblock(reader, epoll);
	asked.protocol->read(reader); // what came with the answer to its greeting
	flush(reader);
	while (deliveries < asked.warm + asked.count) turn(epoll);
	double drained = (now() - begun) / 1e9;
	report(drained, asked.count / filled * drained, deliveries);
}

static void measure_disk(void) {
	char path[1024], *bytes = calloc(1, asked.payload);
	snprintf(path, sizeof path, "%s/disk", asked.dir);
	int file = open(path, O_CREAT | O_WRONLY | O_APPEND | O_TRUNC, 0600);
	if (file < 0) die("file");
	uint64_t begun = now();
	for (measuring = true; deliveries < asked.count;) {
		// At a rate the disk has been idle before, as it has for a broker.
		while (asked.rate > 0 && due(asked.count, begun, 0) <= deliveries) usleep(50);
		uint64_t from = now();
		if (write(file, bytes, asked.payload) != asked.payload || fdatasync(file)) die("disk");
		delivered(from);
	}
	report((now() - begun) / 1e9, deliveries, deliveries);
	close(file);
	unlink(path);
}

static bool option(const char *name, const char *value) {
	const protocol *known[] = { &MQTT, &XMPP, &LINK };
	if (!strcmp(name, "protocol")) {
		for (int i = 0; i < 3; i++) if (!strcmp(known[i]->name, value)) return asked.protocol = known[i], true;
		return false;
	}
	struct { const char *name; const char **text; int *number; long *count; } all[] = {
		{ "mode", &asked.mode, 0, 0 }, { "host", &asked.host, 0, 0 }, { "from", &asked.from, 0, 0 }, { "keys", &asked.keys, 0, 0 },
		{ "to", &asked.to, 0, 0 }, { "topic", &asked.topic, 0, 0 }, { "dir", &asked.dir, 0, 0 },
		{ "port", 0, &asked.port, 0 }, { "subscribers", 0, &asked.subscribers, 0 }, { "payload", 0, &asked.payload, 0 },
		{ "window", 0, &asked.window, 0 }, { "qos", 0, &asked.qos, 0 }, { "first", 0, &asked.first, 0 },
		{ "count", 0, 0, &asked.count }, { "warm", 0, 0, &asked.warm },
	};
	if (!strcmp(name, "durable")) return asked.durable = atoi(value), true;
	if (!strcmp(name, "rate")) return asked.rate = atof(value), true;
	for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
		if (strcmp(all[i].name, name)) continue;
		if (all[i].text) *all[i].text = value;
		if (all[i].number) *all[i].number = atoi(value);
		if (all[i].count) *all[i].count = atol(value);
		return true;
	}
	return false;
}

int main(int count, char **words) {
	signal(SIGPIPE, SIG_IGN);
	for (int i = 1; i < count; i++) {
		char *value = strchr(words[i], '=');
		if (value) *value++ = 0;
		if (!value || !option(words[i], value)) {
			fprintf(stderr, "load: no such option: %s\n", words[i]);
			return 2;
		}
	}
	most = asked.count * (asked.subscribers > 0 ? asked.subscribers : 1);
	waits = malloc(most * sizeof *waits);
	if (!strcmp(asked.mode, "disk")) measure_disk();
	else if (!strcmp(asked.mode, "backlog")) measure_backlog();
	else measure_flow();
	return 0;
}
