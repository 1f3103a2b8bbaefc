#!/usr/bin/env bash
# AF_PACKET with PACKET_VNET_HDR takes a segment size that the interface's MTU forbids.
#
# Seen with: Linux 6.18.44, veth, Python 3.11's socket module. No package is installed.
#
# One would expect: the kernel refuses a virtio_net_hdr it cannot honour. It does so for a
# gso_size of 0, for a hdr_len beyond the frame and for a csum_offset that does not fit. So a
# gso_size of 4000 on an interface with an MTU of 1500 should be refused too, with EINVAL or
# EMSGSIZE.
#
# Seen: sendto() says that all is well, and the super-frame crosses the veth whole. The other
# end, which has an MTU of 1500 as well, hands it on with gso_size 4000. Whatever cuts it later
# makes segments of 4000 bytes, which no link of that path can carry. A program that forwards
# such headers has to compare gso_size with the MTU by itself.
#
#   gso_size 1000, MTU 1500: sent 9054 bytes; received 9054 bytes, gso_size 1000
#   gso_size 4000, MTU 1500: sent 9054 bytes; received 9054 bytes, gso_size 4000
#   gso_size 0, MTU 1500: refused with EINVAL
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
ns="finding-gso-$$"
trap 'ip netns delete "$ns" 2>/dev/null || true' EXIT
ip netns add "$ns"
ip -n "$ns" link add v0 type veth peer name v1
ip -n "$ns" link set v0 up
ip -n "$ns" link set v1 up
timeout 30 ip netns exec "$ns" python3 - <<'PY'
import errno, socket, struct, sys, time

SOL_PACKET, PACKET_VNET_HDR = 263, 15
ETH_P_ALL = socket.htons(3)
NEEDS_CSUM, GSO_TCPV4 = 1, 1
PAYLOAD = 9000


def opened(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.bind((name, 3))
    return s


def frame():
    total = 20 + 20 + PAYLOAD
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, 1, 0, 64, 6, 0,
                               bytes([198, 18, 0, 1]), bytes([198, 18, 0, 2])))
    s = sum(struct.unpack("!10H", ip))
    s = (s & 0xffff) + (s >> 16)
    struct.pack_into("!H", ip, 10, ~(s + (s >> 16)) & 0xffff)
    # The sum of the pseudo-header, as a partial checksum wants it.
    p = sum(struct.unpack("!4H", bytes(ip[12:20]))) + 6 + 20 + PAYLOAD
    p = (p & 0xffff) + (p >> 16)
    tcp = struct.pack("!HHIIBBHHH", 1000, 2000, 1, 0, 5 << 4, 0x10, 1000, p & 0xffff, 0)
    return b"\x02\0\0\0\0\x02" + b"\x02\0\0\0\0\x01" + b"\x08\0" + bytes(ip) + tcp + b"x" * PAYLOAD


tx, rx = opened("v0"), opened("v1")
rx.settimeout(1)


def attempt(gso_size):
    vnet = struct.pack("<BBHHHH", NEEDS_CSUM, GSO_TCPV4, 54, gso_size, 34, 16)
    try:
        sent = tx.send(vnet + frame()) - len(vnet)
    except OSError as e:
        return f"refused with {errno.errorcode[e.errno]}"
    end = time.time() + 2
    while time.time() < end:
        try:
            data = rx.recv(70000)
        except TimeoutError:
            break
        if data[10:16] == b"\x02\0\0\0\0\x02":
            size = struct.unpack("<BBHHHH", data[:10])[3]
            return f"sent {sent} bytes; received {len(data) - 10} bytes, gso_size {size}"
    return f"sent {sent} bytes; nothing received"


want = {
    1000: "sent 9054 bytes; received 9054 bytes, gso_size 1000",
    4000: "sent 9054 bytes; received 9054 bytes, gso_size 4000",
    0: "refused with EINVAL",
}
ok = True
for size, expected in want.items():
    found = attempt(size)
    print(f"gso_size {size}, MTU 1500: {found}")
    ok = ok and found == expected
sys.exit(0 if ok else 1)
PY
