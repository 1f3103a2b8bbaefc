#!/usr/bin/env bash
# A macvtap that nobody reads stops the sender: its unread frames stay in the send buffer of the
# socket that sent them, at the far end of a veth, which then can send to no address any more.
#
# Seen with: Linux 6.18.44, veth, macvtap in bridge mode, Python 3.11. No package is installed.
#
# One would expect: a frame that has crossed the link is off the sender's account, and a receiver
# that does not keep up loses its own frames. So it is with a packet socket and with a TAP behind a
# bridge: what is too much for their queues is dropped, and the sender knows nothing of it.
#
# Seen: a macvtap, as of a VM that is paused, on vb; a packet socket sends from the other end, va.
# After 256 frames of 60 bytes (its send buffer is the default, 212992) it gets EAGAIN, whatever
# address it sends to, until somebody reads from the macvtap. The queue of 500 frames never fills.
# Another socket can still send, until it has as many frames there. A send buffer beyond 500 times
# what a frame costs (832 bytes here) lets the queue overflow first.
#
#   no reader at all: 2000 frames sent, then to another address: sent
#   TAP, unread:      2000 frames sent, then to another address: sent
#   macvtap, unread:  256 frames sent, then EAGAIN; to another address: EAGAIN
#   macvtap, read:    256 frames read; to another address: sent
#   macvtap, unread, send buffer of 1 MB: 2000 frames sent, then to another address: sent
#
# Needs root, macvtap and /dev/net/tun. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
ns="finding-macvtap-$$"
folder=$(mktemp -d)
trap 'ip netns delete "$ns" 2>/dev/null || true; rm -rf "$folder"' EXIT
ip netns add "$ns"
ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip -n "$ns" link add va type veth peer name vb
ip -n "$ns" link add vc type veth peer name vd
ip -n "$ns" link add br0 type bridge
ip -n "$ns" link set vd master br0
ip -n "$ns" link add tapa link vb type macvtap mode bridge
for name in va vb vc vd br0 tapa; do ip -n "$ns" link set "$name" up; done
device=$(ip netns exec "$ns" sh -c 'cat /sys/class/net/tapa/macvtap/*/dev')
mknod "$folder/tapa" c "${device%:*}" "${device#*:}"
timeout 40 ip netns exec "$ns" python3 - "$folder/tapa" <<'PY'
import errno, fcntl, os, socket, struct, subprocess, sys, time

TUNSETIFF, IFF_TAP, IFF_NO_PI, SO_SNDBUFFORCE = 0x400454CA, 2, 0x1000, 32
OTHER, TIMES = bytes.fromhex("020000000063"), 2000
macvtap = os.open(sys.argv[1], os.O_RDWR | os.O_NONBLOCK)
tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"tapb", IFF_TAP | IFF_NO_PI))
subprocess.run(["ip", "link", "set", "tapb", "master", "br0", "up"], check=True)
time.sleep(0.5)


def address(name):
    with open(f"/sys/class/net/{name}/address") as file:
        return bytes.fromhex(file.read().strip().replace(":", ""))


def opened(name, send_buffer=212992):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, send_buffer // 2)
    s.bind((name, 0))
    s.setblocking(False)
    return s


def send(s, to):
    try:
        s.send(to + bytes.fromhex("02000000000188b5") + bytes(46))
        return "sent"
    except OSError as error:
        return errno.errorcode[error.errno]


def fill(s, to):
    for sent in range(TIMES):
        if (told := send(s, to)) != "sent":
            return f"{sent} frames sent, then {told}; to another address: {send(s, OTHER)}"
    return f"{TIMES} frames sent, then to another address: {send(s, OTHER)}"


def read_all():
    count = 0
    try:
        while True:
            os.read(macvtap, 4096)
            count += 1
    except BlockingIOError:
        return count


to = address("tapa")
sender = opened("va")
seen = [
    ("no reader at all", fill(opened("va"), address("vb"))),
    ("TAP, unread", fill(opened("vc"), address("tapb"))),
    ("macvtap, unread", fill(sender, to)),
    ("macvtap, read", f"{read_all()} frames read; to another address: {send(sender, OTHER)}"),
    ("macvtap, unread, send buffer of 1 MB", fill(opened("va", 1 << 20), to)),
]
for what, found in seen:
    print(f"{what}: {found}")
free = f"{TIMES} frames sent, then to another address: sent"
*_, stopped, read, _ = [found for _, found in seen]
count = stopped.split()[0]
wanted = [
    free,
    free,
    f"{count} frames sent, then EAGAIN; to another address: EAGAIN",
    f"{count} frames read; to another address: sent",
    free,
]
sys.exit(0 if int(count) < 500 and [found for _, found in seen] == wanted else 1)
PY
