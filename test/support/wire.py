"""wire.py NETNS_A NETNS_B: a cable between two TAP devices named wire0, one in each network namespace.

Reads commands, one JSON object a line, on stdin; every member is optional and changes only itself:
  {"on": bool, "delay": ms, "jitter": ms, "loss": 0..1, "duplicate": 0..1, "reorder": 0..1, "seed": int, "from": "a"|"b"}
`from` limits the settings to frames that enter at that end (for an asymmetric wire). A frame chosen by
`reorder` is held until the next one in its direction has passed, or 50 ms. {"stats": true} prints the counts.
Jitter alone never reorders: a frame does not overtake the one before it.
Prints {"ready": true} when both devices are up, and ends at end of input.
"""
import ctypes, fcntl, heapq, json, os, random, select, struct, sys, time

CLONE_NEWNET, TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x40000000, 0x400454CA, 0x0002, 0x1000
libc = ctypes.CDLL(None, use_errno=True)


def tap(namespace):
    with open("/run/netns/" + namespace) as handle:
        if libc.setns(handle.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns " + namespace)
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH", b"wire0", IFF_TAP | IFF_NO_PI))
    return fd


class Direction:
    """Frames that enter at one end and leave at the other."""

    def __init__(self, source, target, seed):
        self.source, self.target, self.random = source, target, random.Random(seed)
        self.set = {"on": True, "delay": 0.0, "jitter": 0.0, "loss": 0.0, "duplicate": 0.0, "reorder": 0.0}
        self.queue, self.order, self.last_due, self.held = [], 0, 0.0, None
        self.stats = {"in": 0, "out": 0, "lost": 0, "duplicated": 0, "reordered": 0}

    def enter(self, frame, now):
        self.stats["in"] += 1
        chance = [self.random.random() for _ in range(4)]  # always four, so that a seed means the same whatever is set
        if not self.set["on"] or chance[0] < self.set["loss"]:
            self.stats["lost"] += 1
            return
        if self.held is None and chance[2] < self.set["reorder"]:
            self.held = (now + 0.05, frame)
            return
        due = max(self.last_due, now + (self.set["delay"] + chance[3] * self.set["jitter"]) / 1000)
        self.schedule(due, frame)
        if chance[1] < self.set["duplicate"]:
            self.stats["duplicated"] += 1
            self.schedule(due, frame)
        if self.held is not None:
            self.stats["reordered"] += 1
            self.release(due)

    def schedule(self, due, frame):
        self.last_due = due
        self.order += 1
        heapq.heappush(self.queue, (due, self.order, frame))

    def release(self, due):
        frame, self.held = self.held[1], None
        self.schedule(due, frame)

    def next_due(self):
        times = ([self.queue[0][0]] if self.queue else []) + ([self.held[0]] if self.held else [])
        return min(times) if times else None

    def leave(self, now):
        if self.held is not None and self.held[0] <= now:
            self.release(max(self.last_due, now + self.set["delay"] / 1000))
        while self.queue and self.queue[0][0] <= now:
            frame = heapq.heappop(self.queue)[2]
            try:
                os.write(self.target, frame)
                self.stats["out"] += 1
            except OSError:  # the device is down, or its queue is full: a wire loses it too
                self.stats["lost"] += 1


def main():
    fds = [tap(namespace) for namespace in sys.argv[1:3]]
    a, b = Direction(fds[0], fds[1], 1), Direction(fds[1], fds[0], 2)
    print(json.dumps({"ready": True}), flush=True)
    text = b""
    while True:
        now = time.monotonic()
        dues = [due for due in (a.next_due(), b.next_due()) if due is not None]
        ready = select.select([0] + fds, [], [], max(0, min(dues) - now) if dues else None)[0]
        now = time.monotonic()
        for direction in (a, b):
            if direction.source in ready:
                for _ in range(64):
                    try:
                        frame = os.read(direction.source, 65536)
                    except BlockingIOError:
                        break
                    direction.enter(frame, now)
            direction.leave(now)
        if 0 in ready:
            chunk = os.read(0, 65536)
            if not chunk:
                return
            *lines, text = (text + chunk).split(b"\n")
            for line in lines:
                command(json.loads(line), a, b)


def command(message, a, b):
    for direction in {"a": [a], "b": [b]}.get(message.get("from"), [a, b]):
        if "seed" in message:
            direction.random.seed(message["seed"] * 2 + (direction is b))
        direction.set.update({key: message[key] for key in direction.set if key in message})
    print(json.dumps({"a": a.stats, "b": b.stats}), flush=True)


main()
