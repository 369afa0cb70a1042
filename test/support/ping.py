"""ping.py ADDRESS COUNT INTERVAL WAIT: ICMP echoes, then one line of JSON: the sequence numbers of the answers, in order of arrival."""
import json, os, select, socket, struct, sys, time

address, count, interval, wait = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
ident = os.getpid() & 0xFFFF


def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def echo(seq):
    body = struct.pack("!BBHHH", 8, 0, 0, ident, seq) + bytes(56)
    return body[:2] + struct.pack("!H", checksum(body)) + body[4:]


answers, times, sent = [], {}, 0
start = time.monotonic()
while True:
    now = time.monotonic() - start
    if sent < count and now >= sent * interval:
        times[sent] = time.monotonic()
        sock.sendto(echo(sent), (address, 0))
        sent += 1
        continue
    end = (count - 1) * interval + wait
    if now >= end or (len(set(seq for seq, _ in answers)) == count and wait < 1):
        break
    due = sent * interval if sent < count else end
    if select.select([sock], [], [], max(0, due - now))[0]:
        packet = sock.recv(2048)
        icmp = packet[(packet[0] & 15) * 4:]
        kind, _, _, got, seq = struct.unpack("!BBHHH", icmp[:8])
        if kind == 0 and got == ident:
            answers.append((seq, round((time.monotonic() - times[seq]) * 1000, 2)))
            if count == 1:
                break
print(json.dumps({"sent": sent, "answers": [seq for seq, _ in answers], "ms": [ms for _, ms in answers]}))
