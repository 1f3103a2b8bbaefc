#!/usr/bin/env bash
# AF_PACKET's receive ring puts the virtio_net_hdr ten bytes before the frame, whatever length was
# asked for: with PACKET_VNET_HDR_SZ 12 what a slot holds is not what recv() gives or a send takes.
#
# Seen with: Linux 6.18.44 (the option is new in 6.4), veth, Python 3.11. No package is installed.
#
# One would expect: PACKET_VNET_HDR_SZ 12 makes room for virtio's header with num_buffers, so that
# the bytes before a frame go to a virtqueue, or to another socket with the same option, as they
# are. The header of 12 bytes begins 12 bytes before tp_mac.
#
# Seen: recv() gives ten bytes of header, two of num_buffers, and the frame; send() and the ring of
# frames to send take that. In the receive ring the two bytes come first, and the header follows, at
# tp_mac - 10, as with a length of ten. Who reads 12 bytes from tp_mac - 12 finds each field one
# place late: flags 0, gso_type 0, where a TCP super-frame waits for its checksum, and a hdr_len
# made of both. Sent again with the option they are taken for a plain frame with no sum to complete
# that is longer than the MTU: EMSGSIZE.
#
#   length 10, recv():                    01013600b40522001000
#   length 12, recv():                    01013600b405220010000000
#   length 10, ring, from tp_mac - 10:    01013600b40522001000
#   length 12, ring, from tp_mac - 12:    000001013600b40522001000
#   length 12, ring, sent as it is:       EMSGSIZE
#   length 12, ring, moved by two bytes:  arrived
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
ns="finding-ring-$$"
trap 'ip netns delete "$ns" 2>/dev/null || true' EXIT
ip netns add "$ns"
ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip -n "$ns" link add v0 type veth peer name v1
ip -n "$ns" link set v0 up
ip -n "$ns" link set v1 up
timeout 40 ip netns exec "$ns" python3 - <<'PY'
import errno, mmap, select, socket, struct, sys

SOL_PACKET, PACKET_RX_RING, PACKET_VERSION, PACKET_VNET_HDR_SZ = 263, 5, 10, 24
TPACKET_V2, BLOCK, BLOCKS, SLOT = 1, 1 << 14, 4, 1 << 13
SEGMENT, SEGMENTS, ETH_P_IP = 1460, 4, 0x0800


def fold(s):
    s = (s & 0xffff) + (s >> 16)
    return (s + (s >> 16)) & 0xffff


def super_frame(header_length):
    payload = SEGMENT * SEGMENTS
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + payload, 1, 0, 64, 6, 0,
                               bytes([198, 18, 0, 1]), bytes([198, 18, 0, 2])))
    struct.pack_into("!H", ip, 10, ~fold(sum(struct.unpack("!10H", ip))) & 0xffff)
    pseudo = fold(sum(struct.unpack("!4H", bytes(ip[12:20]))) + 6 + 20 + payload)
    tcp = struct.pack("!HHIIBBHHH", 1000, 2000, 1, 0, 5 << 4, 0x10, 1000, pseudo, 0)
    header = struct.pack("<BBHHHH", 1, 1, 54, SEGMENT, 34, 16).ljust(header_length, b"\0")
    return header + bytes.fromhex("0200000000020200000000010800") + bytes(ip) + tcp + bytes(payload)


def opened(name, length, protocol):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, PACKET_VERSION, TPACKET_V2)
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR_SZ, length)
    s.settimeout(2)
    return s, lambda: s.bind((name, protocol))


def received(length):
    rx, bind = opened("v1", length, ETH_P_IP)
    bind()
    tx, bind = opened("v0", length, 0)
    bind()
    tx.send(super_frame(length))
    return rx.recv(70000)[:length].hex()


def in_ring(length):
    """The first slot from LENGTH bytes before the frame on, as bytes."""
    rx, bind = opened("v1", length, ETH_P_IP)
    request = struct.pack("IIII", BLOCK, BLOCKS, SLOT, BLOCK // SLOT * BLOCKS)
    rx.setsockopt(SOL_PACKET, PACKET_RX_RING, request)
    with mmap.mmap(rx.fileno(), BLOCK * BLOCKS) as ring:
        bind()
        tx, bind_tx = opened("v0", length, 0)
        bind_tx()
        tx.send(super_frame(length))
        poll = select.poll()
        poll.register(rx, select.POLLIN)
        poll.poll(2000)
        _, _, kept, at, _ = struct.unpack_from("IIIHH", ring)
        return ring[at - length:at + kept]


def sent_again(data):
    rx, bind = opened("v1", 12, ETH_P_IP)
    bind()
    tx, bind = opened("v0", 12, 0)
    bind()
    try:
        tx.send(data)
        return "arrived" if rx.recv(70000) == super_frame(12) else "arrived otherwise"
    except OSError as error:
        return errno.errorcode[error.errno]


slot = in_ring(12)
seen = {
    "length 10, recv()": received(10),
    "length 12, recv()": received(12),
    "length 10, ring, from tp_mac - 10": in_ring(10)[:10].hex(),
    "length 12, ring, from tp_mac - 12": slot[:12].hex(),
    "length 12, ring, sent as it is": sent_again(slot),
    "length 12, ring, moved by two bytes": sent_again(slot[2:12] + slot[:2] + slot[12:]),
}
for what, found in seen.items():
    print(f"{what + ':':36}  {found}")
header = super_frame(10)[:10].hex()
wanted = [header, header + "0000", header, "0000" + header, "EMSGSIZE", "arrived"]
sys.exit(0 if list(seen.values()) == wanted else 1)
PY
