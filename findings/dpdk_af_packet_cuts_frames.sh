#!/usr/bin/env bash
# DPDK's net_af_packet hands on the first 1982 bytes of a longer frame as if that were the frame.
#
# Seen with: DPDK 22.11.11 (testpmd of Debian 12), Linux 6.18.44, veth, Python 3.11. If testpmd is
# not there, it is installed from Debian.
#
# One would expect: on an interface with an MTU of 9000, a frame that does not fit the driver's own
# slots (framesz, 2048 bytes if not given) is dropped and counted as an error or as missed; the
# kernel's ring tells the length on the wire beside the one in the slot.
#
# Seen: a frame of up to 1982 bytes passes whole. Of one of 1983, 4000 or 9014 bytes the first 1982
# arrive at the other side, and no counter of either port tells of it. With slots that are large
# enough all pass.
#
#   framesz not given: 60 -> 60, 1982 -> 1982, 1983 -> 1982, 4000 -> 1982, 9014 -> 1982; counted
#     as lost: nothing
#   framesz=9216,blocksz=36864: 60 -> 60, 1982 -> 1982, 1983 -> 1983, 4000 -> 4000, 9014 -> 9014;
#     counted as lost: nothing
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v dpdk-testpmd >/dev/null || {
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends 'dpdk=22.11*'
} >/dev/null 2>&1
ns="finding-cut-$$"
RUNTIME_DIRECTORY=$(mktemp -d)
export RUNTIME_DIRECTORY
trap 'ip netns delete "$ns" 2>/dev/null || true; rm -rf "$RUNTIME_DIRECTORY"' EXIT
ip netns add "$ns"
ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
for pair in a b; do
  ip -n "$ns" link add "${pair}0" mtu 9000 type veth peer name "${pair}1" mtu 9000
  ip -n "$ns" link set "${pair}0" up
  ip -n "$ns" link set "${pair}1" up
done
timeout 50 ip netns exec "$ns" python3 - <<'PY'
import re, socket, subprocess, sys, time

PACKET_IGNORE_OUTGOING, SOL_PACKET = 23, 263
LENGTHS = [60, 1982, 1983, 4000, 9014]
HEADER = bytes.fromhex("02000000000202000000000188b5")


def frame(length):
    return HEADER + bytes(length - len(HEADER))


def attempt(options):
    ports = [f"--vdev=net_af_packet{i},iface={n}{options}" for i, n in enumerate(["a1", "b1"])]
    rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    rx.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    rx.bind(("b0", 0x88B5))
    tx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    tx.bind(("a0", 0))
    testpmd = subprocess.Popen(
        ["dpdk-testpmd", "--no-huge", "-m", "256", "--no-pci", "--no-telemetry",
         "--lcores=0@0,1@0", *ports, "--", "-i", "--total-num-mbufs=4096", "--mbuf-size=10240"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        testpmd.stdin.write("start\n")
        testpmd.stdin.flush()
        rx.settimeout(0.2)
        end = time.monotonic() + 10
        while time.monotonic() < end:  # until it forwards
            tx.send(frame(60))
            try:
                rx.recv(10000)
                break
            except TimeoutError:
                pass
        rx.settimeout(1)
        arrived = []
        for length in LENGTHS:
            tx.send(frame(length))
            try:
                arrived.append(len(rx.recv(10000)))
            except TimeoutError:
                arrived.append(0)
        told, _ = testpmd.communicate("show port xstats all\nstop\nquit\n", timeout=10)
    finally:
        testpmd.kill()
    counters = re.findall(r"^(\w*(?:err|miss|alloc|drop)\w*): (\d+)", told, re.M)
    counters += re.findall(r"(\w+-dropped): (\d+)", told)
    assert len(counters) > 8, told
    return arrived, {name: int(n) for name, n in counters if n != "0"}


wanted = {"": [60, 1982, 1982, 1982, 1982], ",framesz=9216,blocksz=36864": LENGTHS}
ok = True
for options, lengths in wanted.items():
    arrived, counted = attempt(options)
    passed = ", ".join(f"{a} -> {b}" for a, b in zip(LENGTHS, arrived))
    lost = counted or "nothing"
    print(f"{options[1:] or 'framesz not given'}: {passed}; counted as lost: {lost}")
    ok = ok and arrived == lengths and not counted
sys.exit(0 if ok else 1)
PY
