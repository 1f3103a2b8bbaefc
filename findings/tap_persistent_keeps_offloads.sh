#!/usr/bin/env bash
# A persistent TAP keeps the offloads and the header length of the program that had it before: the
# next one, which asks for no header, reads unfinished checksums and frames of 20 KB at MTU 1500.
#
# Seen with: Linux 6.18.44, Python 3.11. No package is installed.
#
# One would expect: TUNSETOFFLOAD and TUNSETVNETHDRSZ are settings of who opened the device, as
# IFF_VNET_HDR is, which each TUNSETIFF gives or takes away. A program that opens a TAP without
# IFF_VNET_HDR cannot be told of checksums and segments, so it gets whole frames with good sums.
#
# Seen: one program opens the TAP with IFF_VNET_HDR, sets a header of 12 bytes and offloads (as
# QEMU does for virtio-net), and ends. The next one opens it without IFF_VNET_HDR. The frame of a
# datagram has but the sum of the pseudo-header in its checksum field, and what should be 20
# datagrams is one frame of 20042 bytes, which read() with a buffer for the MTU cuts in silence. A
# program that asks for a header gets 12 bytes, not 10. A new device has none of that.
#
#   new: header of 10 bytes; frames: 1 of 1042 bytes, good sums: 1; frames: 20 of 1042 bytes,
#     good sums: 20
#   used: header of 12 bytes; frames: 1 of 1042 bytes, good sums: 0; frames: 1 of 20042 bytes,
#     good sums: 0
#
# So set both after each open, TUNSETOFFLOAD with 0 too, without a header as well.
#
# Needs root and /dev/net/tun. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
ns="finding-tap-$$"
trap 'ip netns delete "$ns" 2>/dev/null || true' EXIT
ip netns add "$ns"
ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
timeout 40 ip netns exec "$ns" python3 - <<'PY'
import collections, fcntl, os, select, socket, struct, subprocess, sys

TUNSETIFF, TUNSETPERSIST, TUNSETOFFLOAD = 0x400454CA, 0x400454CB, 0x400454D0
TUNGETVNETHDRSZ, TUNSETVNETHDRSZ = 0x800454D7, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000
CSUM, TSO4, TSO6, USO4, USO6 = 1, 2, 4, 0x20, 0x40
SOL_UDP, UDP_SEGMENT, SEGMENT = 17, 103, 1000


def opened(name, flags):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    mode = IFF_TAP | IFF_NO_PI | flags
    fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), mode))
    return fd


def header_length(name):
    fd = opened(name, IFF_VNET_HDR)
    length, = struct.unpack("i", fcntl.ioctl(fd, TUNGETVNETHDRSZ, bytes(4)))
    os.close(fd)
    return length


def good(frame):
    """Whether the frame's UDP checksum is the one of its bytes."""
    udp = frame[34:] + bytes(len(frame) & 1)
    s = 17 + len(frame) - 34 + sum(struct.unpack("!4H", frame[26:34]))
    s += sum(struct.unpack(f"!{len(udp) // 2}H", udp))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s == 0xffff


def read_all(fd):
    lengths, sums = collections.Counter(), 0
    while select.select([fd], [], [], 0.5)[0]:
        frame = os.read(fd, 70000)
        if frame[12:14] == b"\x08\0":
            lengths[len(frame)] += 1
            sums += good(frame)
    return ", ".join(f"{n} of {length} bytes" for length, n in lengths.items()), sums


def attempt(name, network):
    header = header_length(name)
    fd = opened(name, 0)
    ip = lambda words: subprocess.run(["ip", *words.split()], check=True)
    ip(f"link set {name} up")
    ip(f"addr add {network}.1/24 dev {name}")
    ip(f"neigh add {network}.2 lladdr 02:00:00:00:00:02 dev {name}")
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.sendto(b"x" * SEGMENT, (f"{network}.2", 9))
    one = read_all(fd)
    sender.setsockopt(SOL_UDP, UDP_SEGMENT, SEGMENT)
    sender.sendto(b"x" * SEGMENT * 20, (f"{network}.2", 9))
    many = read_all(fd)
    os.close(fd)
    return header, one, many


for name in ("new", "used"):
    fd = opened(name, IFF_VNET_HDR)
    fcntl.ioctl(fd, TUNSETPERSIST, 1)
    if name == "used":
        fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", 12))
        fcntl.ioctl(fd, TUNSETOFFLOAD, CSUM | TSO4 | TSO6 | USO4 | USO6)
    os.close(fd)
wanted = {
    "new": (10, ("1 of 1042 bytes", 1), ("20 of 1042 bytes", 20)),
    "used": (12, ("1 of 1042 bytes", 0), ("1 of 20042 bytes", 0)),
}
found = {name: attempt(name, f"198.18.{i}") for i, name in enumerate(wanted)}
for name, (header, *frames) in found.items():
    seen = "; ".join(f"frames: {lengths}, good sums: {sums}" for lengths, sums in frames)
    print(f"{name}: header of {header} bytes; {seen}")
sys.exit(0 if found == wanted else 1)
PY
