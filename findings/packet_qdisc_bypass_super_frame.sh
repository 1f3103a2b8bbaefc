#!/usr/bin/env bash
# PACKET_QDISC_BYPASS: a device that cannot segment drops a super-frame with ENOBUFS, each time;
# the same frame from the same kind of socket without the option arrives, cut by the kernel.
#
# Seen with: Linux 6.18.44, veth, Python 3.11, ethtool from Debian 12 (6.1). If ethtool is not
# there, it is installed from Debian.
#
# One would expect: PACKET_QDISC_BYPASS changes how a frame is queued, not whether it can be sent:
# packet(7) says that the traffic control layer is bypassed and that packets are dropped if the
# transmit queue is busy. ENOBUFS then means "busy, try again".
#
# Seen: with TSO off at the sending device, a TCP super-frame is refused with ENOBUFS although
# nothing else is sent: five attempts out of five. Without the bypass the kernel's validation of
# the transmit path cuts it to segments of the size asked for. With TSO on both ways pass it
# whole. So ENOBUFS on such a socket cannot be told from a full queue, and a retry never helps.
#
#   TSO on, bypass: 5 of 5 sent, arrived as 5 frames of 5894 bytes
#   TSO on, no bypass: 5 of 5 sent, arrived as 5 frames of 5894 bytes
#   TSO off, bypass: 0 of 5 sent (ENOBUFS), nothing arrived
#   TSO off, no bypass: 5 of 5 sent, arrived as 20 frames of 1514 bytes
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v ethtool >/dev/null || {
  apt-get update -qq && apt-get install -y -qq --no-install-recommends ethtool
} >/dev/null
ns="finding-bypass-$$"
trap 'ip netns delete "$ns" 2>/dev/null || true' EXIT
ip netns add "$ns"
ip -n "$ns" link add v0 type veth peer name v1
ip -n "$ns" link set v0 up
ip -n "$ns" link set v1 up
timeout 40 ip netns exec "$ns" python3 - <<'PY'
import collections, errno, socket, struct, subprocess, sys

SOL_PACKET, PACKET_VNET_HDR, PACKET_QDISC_BYPASS = 263, 15, 20
SEGMENT, SEGMENTS, TIMES = 1460, 4, 5
MAC_TO, MAC_FROM = b"\x02\0\0\0\0\x02", b"\x02\0\0\0\0\x01"


def fold(s):
    s = (s & 0xffff) + (s >> 16)
    return (s + (s >> 16)) & 0xffff


def super_frame():
    payload = SEGMENT * SEGMENTS
    ip = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + payload, 1, 0, 64, 6, 0,
                               bytes([198, 18, 0, 1]), bytes([198, 18, 0, 2])))
    struct.pack_into("!H", ip, 10, ~fold(sum(struct.unpack("!10H", ip))) & 0xffff)
    pseudo = fold(sum(struct.unpack("!4H", bytes(ip[12:20]))) + 6 + 20 + payload)
    tcp = struct.pack("!HHIIBBHHH", 1000, 2000, 1, 0, 5 << 4, 0x10, 1000, pseudo, 0)
    vnet = struct.pack("<BBHHHH", 1, 1, 54, SEGMENT, 34, 16)
    return vnet + MAC_TO + MAC_FROM + b"\x08\0" + bytes(ip) + tcp + b"x" * payload


def attempt(bypass):
    rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    rx.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    rx.bind(("v1", 3))
    rx.settimeout(0.5)
    tx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    tx.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    tx.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, int(bypass))
    tx.bind(("v0", 0))
    sent, errors, arrived = 0, set(), collections.Counter()
    for _ in range(TIMES):
        try:
            tx.send(super_frame())
            sent += 1
        except OSError as e:
            errors.add(errno.errorcode[e.errno])
    while True:
        try:
            data = rx.recv(70000)
        except TimeoutError:
            break
        if data[10:16] == MAC_TO:
            arrived[len(data) - 10] += 1
    why = f" ({', '.join(sorted(errors))})" if errors else ""
    what = ", ".join(f"{n} frames of {size} bytes" for size, n in sorted(arrived.items()))
    there = f"arrived as {what}" if what else "nothing arrived"
    return f"{sent} of {TIMES} sent{why}, {there}"


whole = "5 of 5 sent, arrived as 5 frames of 5894 bytes"
expected = {
    ("on", True): whole,
    ("on", False): whole,
    ("off", True): "0 of 5 sent (ENOBUFS), nothing arrived",
    ("off", False): "5 of 5 sent, arrived as 20 frames of 1514 bytes",
}
ok = True
for (tso, bypass), want in expected.items():
    subprocess.run(["ethtool", "-K", "v0", "tso", tso], check=True, stdout=subprocess.DEVNULL)
    found = attempt(bypass)
    print(f"TSO {tso}, {'bypass' if bypass else 'no bypass'}: {found}")
    ok = ok and found == want
sys.exit(0 if ok else 1)
PY
