#!/usr/bin/env bash
# DPDK's net_af_packet makes a customer's tag (802.1Q) of a provider's (802.1ad) that passes it.
#
# Seen with: DPDK 22.11.11 (testpmd of Debian 12), Linux 6.18.44, veth, Python 3.11. If testpmd is
# not there, it is installed from Debian.
#
# One would expect: testpmd, with no offload asked for, hands on each frame as it came, as a bridge
# does. The kernel takes the outer tag out of the frame, and its ring tells the whole of it, type
# and number (tp_vlan_tpid, tp_vlan_tci), so that the driver can put it back.
#
# Seen: the number comes back, the type is 0x8100 always. A frame with a tag of type 0x88a8 leaves
# with one of 0x8100, and of provider and customer tag there are two of the customer's: beyond
# testpmd VLAN 5 of the provider is VLAN 5 of a customer.
#
#   bridge:        8100.5 -> 8100.5, 88a8.5 -> 88a8.5, 88a8.5 8100.7 -> 88a8.5 8100.7
#   net_af_packet: 8100.5 -> 8100.5, 88a8.5 -> 8100.5, 88a8.5 8100.7 -> 8100.5 8100.7
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v dpdk-testpmd >/dev/null || {
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends 'dpdk=22.11*'
} >/dev/null 2>&1
ns="finding-tag-$$"
RUNTIME_DIRECTORY=$(mktemp -d)
export RUNTIME_DIRECTORY
trap 'ip netns delete "$ns" 2>/dev/null || true; rm -rf "$RUNTIME_DIRECTORY"' EXIT
ip netns add "$ns"
ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
for pair in a b; do
  ip -n "$ns" link add "${pair}0" type veth peer name "${pair}1"
  ip -n "$ns" link set "${pair}0" up
  ip -n "$ns" link set "${pair}1" up
done
ip -n "$ns" link add br0 type bridge
ip -n "$ns" link set br0 up
timeout 50 ip netns exec "$ns" python3 - <<'PY'
import contextlib, socket, struct, subprocess, sys, time

SOL_PACKET, PACKET_AUXDATA, PACKET_IGNORE_OUTGOING = 263, 8, 23
TP_STATUS_VLAN_VALID = 0x10
ADDRESSES = bytes.fromhex("020000000002020000000001")
TAGS = [[(0x8100, 5)], [(0x88A8, 5)], [(0x88A8, 5), (0x8100, 7)]]
rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
rx.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
rx.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
rx.bind(("b0", 3))
tx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
tx.bind(("a0", 0))


def passed(tags, seconds):
    """The tags that a frame with these tags has at the other side, None if it is not there."""
    data = b"".join(struct.pack("!HH", *tag) for tag in tags) + b"\x88\xb5" + bytes(46)
    tx.send(ADDRESSES + data)
    end = time.monotonic() + seconds
    rx.settimeout(seconds)
    while time.monotonic() < end:
        try:
            data, told, _, _ = rx.recvmsg(2048, 256)
        except TimeoutError:
            break
        if data[:12] != ADDRESSES:
            continue
        status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", told[0][2])
        found = [(tpid, tci)] if status & TP_STATUS_VLAN_VALID else []
        at = 12
        while (tag := struct.unpack_from("!HH", data, at))[0] in (0x8100, 0x88A8):
            found.append(tag)
            at += 4
        return found


@contextlib.contextmanager
def bridge():
    for name in ("a1", "b1"):
        subprocess.run(["ip", "link", "set", name, "master", "br0"], check=True)
    yield
    for name in ("a1", "b1"):
        subprocess.run(["ip", "link", "set", name, "nomaster"], check=True)


@contextlib.contextmanager
def net_af_packet():
    testpmd = subprocess.Popen(
        ["dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
         "--lcores=0@0,1@0", "--vdev=net_af_packet0,iface=a1", "--vdev=net_af_packet1,iface=b1",
         "--", "-i", "--total-num-mbufs=4096"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)
    try:
        testpmd.stdin.write("start\n")
        testpmd.stdin.flush()
        yield
        testpmd.communicate("stop\nquit\n", timeout=10)
    finally:
        testpmd.kill()


def shown(tags):
    return "nothing" if tags is None else " ".join(f"{tpid:04x}.{tci}" for tpid, tci in tags)


wanted = {bridge: TAGS, net_af_packet: [[(0x8100, tci) for _, tci in tags] for tags in TAGS]}
ok = True
for way, expected in wanted.items():
    with way():
        end = time.monotonic() + 10
        while passed([], 0.2) is None and time.monotonic() < end:
            pass  # until it forwards
        time.sleep(0.3)
        found = [passed(tags, 1) for tags in TAGS]
    pairs = ", ".join(f"{shown(a)} -> {shown(b)}" for a, b in zip(TAGS, found))
    print(f"{way.__name__ + ':':14} {pairs}")
    ok = ok and found == expected
sys.exit(0 if ok else 1)
PY
