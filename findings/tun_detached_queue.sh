#!/usr/bin/env bash
# Detaching a TAP's only queue throws away the frames that wait in it, without counting them, and
# leaves the carrier up.
#
# Seen with: Linux 6.18.44, a multi-queue TAP, Python 3.11. No package is installed.
#
# One would expect: IFF_DETACH_QUEUE of TUNSETQUEUE disables a queue until it is attached again
# (the kernel's tuntap document). So frames that wait in it can be read before or after that, or
# count as dropped; and a TAP with no queue left has no carrier, as when its last file is closed.
#
# Seen: the frames are gone the moment the queue is detached: read() says EAGAIN then and after it
# is attached again, and neither tx_packets nor tx_dropped counts them. Frames sent meanwhile count
# as dropped, but the carrier stays, so that a bridge or a route goes on sending there.
#
#   attached:       3 sent, of these 3 read; tx_packets 3, tx_dropped 0; carrier 1
#   detached:       3 sent before, of these 0 read; tx_packets 3, tx_dropped 0; carrier 1
#   still detached: 3 sent, of these 0 read; tx_packets 3, tx_dropped 3; carrier 1
#   attached again: 3 sent, of these 3 read; tx_packets 6, tx_dropped 3; carrier 1
#   closed:         carrier 0
#
# So read until EAGAIN before you detach, and take the carrier down (TUNSETCARRIER) yourself.
#
# Needs root and /dev/net/tun. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
ns="finding-queue-$$"
trap 'ip netns delete "$ns" 2>/dev/null || true' EXIT
ip netns add "$ns"
ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
timeout 40 ip netns exec "$ns" python3 - <<'PY'
import fcntl, os, socket, struct, subprocess, sys, time

TUNSETIFF, TUNSETPERSIST, TUNSETQUEUE = 0x400454CA, 0x400454CB, 0x400454D9
IFF_TAP, IFF_NO_PI, IFF_MULTI_QUEUE = 2, 0x1000, 0x100
IFF_ATTACH_QUEUE, IFF_DETACH_QUEUE = 0x200, 0x400
TIMES = 3
FRAME = bytes.fromhex("ffffffffffff02000000000188b5") + bytes(46)
queue = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
mode = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE
fcntl.ioctl(queue, TUNSETIFF, struct.pack("16sH22x", b"t0", mode))
fcntl.ioctl(queue, TUNSETPERSIST, 1)
subprocess.run(["ip", "link", "set", "t0", "up"], check=True)
time.sleep(0.3)
tx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
tx.bind(("t0", 0))


def switch(flag):
    fcntl.ioctl(queue, TUNSETQUEUE, struct.pack("16sH22x", b"", flag))


def send():
    for _ in range(TIMES):
        tx.send(FRAME)


def read_all():
    count = 0
    try:
        while True:
            count += os.read(queue, 2048) == FRAME
    except BlockingIOError:
        return count


def number(name):
    with open(f"/sys/class/net/t0/{name}") as file:
        return int(file.read())


def state():
    counters = ("statistics/tx_packets", "statistics/tx_dropped", "carrier")
    return read_all(), *map(number, counters)


send()
seen = {"attached": state()}
send()
switch(IFF_DETACH_QUEUE)
seen["detached"] = state()
send()
seen["still detached"] = state()
switch(IFF_ATTACH_QUEUE)
send()
seen["attached again"] = state()
os.close(queue)
carrier = number("carrier")
for what, (read, packets, dropped, at) in seen.items():
    before = " before" if what == "detached" else ""
    print(f"{what + ':':15} {TIMES} sent{before}, of these {read} read; tx_packets {packets}, "
          f"tx_dropped {dropped}; carrier {at}")
print(f"{'closed:':15} carrier {carrier}")
wanted = {
    "attached": (3, 3, 0, 1),
    "detached": (0, 3, 0, 1),
    "still detached": (0, 3, 3, 1),
    "attached again": (3, 6, 3, 1),
}
sys.exit(0 if seen == wanted and carrier == 0 else 1)
PY
