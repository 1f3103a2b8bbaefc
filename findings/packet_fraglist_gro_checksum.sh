#!/usr/bin/env bash
# Fraglist GRO: a merged UDP frame asks for a checksum, but the partial sum in its checksum field
# is that of the first datagram, while its lengths are those of the whole.
#
# Seen with: Linux 6.18.44, veth, Python 3.11, ethtool from Debian 12 (6.1). If ethtool is not
# there, it is installed from Debian.
#
# One would expect: VIRTIO_NET_HDR_F_NEEDS_CSUM says that the checksum field holds the sum of the
# pseudo-header (virtio 1.2, 5.1.6.2), which has the UDP length in it. So the field fits the UDP
# length that stands beside it, whatever was merged.
#
# Seen: with `gro on rx-gro-list on` at the receiving veth, 20 datagrams of 1000 bytes arrive as
# one frame of gso_type UDP_L4, gso_size 1000, NEEDS_CSUM. Its IP and UDP lengths are those of 20
# datagrams (UDP length 20008), the field has the pseudo-header's sum for one (1008). A program
# that goes by the header, and completes the sum or derives each datagram's sum from that field
# and the lengths, sends datagrams that every receiver drops. Without rx-gro-list nothing is
# merged here. The sum has to be made anew from the packet.
#
#   rx-gro-list off: 400 frames of one datagram, 0 merged
#   rx-gro-list on: 0 frames of one datagram, 20 merged; UDP length 20008, sum for 1008
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v ethtool >/dev/null || {
  apt-get update -qq && apt-get install -y -qq --no-install-recommends ethtool
} >/dev/null 2>&1
a="finding-list-a-$$" b="finding-list-b-$$"
trap 'ip netns delete "$a" 2>/dev/null || true; ip netns delete "$b" 2>/dev/null || true' EXIT
ip netns add "$a"
ip netns add "$b"
ip -n "$a" link add a0 type veth peer name b0 netns "$b"
ip -n "$a" link set a0 up
ip -n "$b" link set b0 up
ip -n "$a" addr add 198.18.0.1/24 dev a0
ip -n "$a" neigh add 198.18.0.2 lladdr 02:00:00:00:00:02 dev a0
ip netns exec "$a" ethtool -K a0 tso off tx-udp-segmentation off >/dev/null
attempt() { # on|off
  ip netns exec "$b" ethtool -K b0 gro on rx-gro-list "$1" >/dev/null
  timeout 20 ip netns exec "$b" python3 - "$a" <<'PY'
import socket, struct, subprocess, sys

SOL_PACKET, PACKET_VNET_HDR = 263, 15
rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
rx.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
rx.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
rx.bind(("b0", 3))
rx.settimeout(1)
sender = """
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, 103, 1000)  # UDP_SEGMENT
s.connect(("198.18.0.2", 9))
for _ in range(20):
    s.send(b"x" * 20000)
"""
subprocess.run(["ip", "netns", "exec", sys.argv[1], "python3", "-c", sender], check=True)


def fold(s):
    s = (s & 0xffff) + (s >> 16)
    return (s + (s >> 16)) & 0xffff


single, merged, kinds = 0, 0, set()
while True:
    try:
        data = rx.recv(70000)
    except TimeoutError:
        break
    flags, gso_type, _, gso_size, _, _ = struct.unpack("<BBHHHH", data[:10])
    frame = data[10:]
    if frame[12:14] != b"\x08\0" or frame[23] != 17:
        continue
    if len(frame) == 42 + 1000:
        single += 1
        continue
    merged += 1
    udp_length, field = struct.unpack("!HH", frame[38:42])
    addresses = sum(struct.unpack("!4H", frame[26:34])) + 17
    sums = {fold(addresses + udp_length): udp_length, fold(addresses + 1008): 1008}
    known = gso_type == 5 and gso_size == 1000 and flags & 1
    kinds.add(f"UDP length {udp_length}, sum for {sums.get(field)}" if known else "another kind")
what = "; " + ", ".join(sorted(kinds)) if kinds else ""
print(f"{single} frames of one datagram, {merged} merged{what}")
PY
}
off=$(attempt off)
on=$(attempt on)
echo "rx-gro-list off: $off"
echo "rx-gro-list on: $on"
[ "$off" = "400 frames of one datagram, 0 merged" ] &&
  [ "$on" = "0 frames of one datagram, 20 merged; UDP length 20008, sum for 1008" ]
