#!/usr/bin/env bash
# A bridge drops a frame that is too long for the port it leaves by, and no counter anywhere moves;
# four bytes too long is not too long.
#
# Seen with: Linux 6.18.44, veth, bridge, iproute2 6.1, Python 3.11, ethtool from Debian 12 (6.1).
# If ethtool is not there, it is installed from Debian.
#
# One would expect: what a port cannot carry counts as dropped or as an error, at the port it came
# by, at the one it should leave by, or at the bridge; and with an MTU of 1500 an untagged frame may
# have 1514 bytes.
#
# Seen: one port with MTU 9000, one with 1500, both ends' addresses learned. Untagged frames of
# 1515 to 1518 bytes arrive, as the bridge leaves room for a tag in each frame. Of 1519 bytes and
# more none does. Beside the packets and bytes that the sender and the first port count, nothing
# has changed: not in `ip -s -s link` or `ethtool -S` of any device, not in /proc/net/snmp, netstat
# and softnet_stat. A black hole that looks like a quiet port.
#
#   1514 bytes: 5 of 5 arrived
#   1518 bytes: 5 of 5 arrived
#   1519 bytes: 0 of 5 arrived; other counters that moved: none
#   9014 bytes: 0 of 5 arrived; other counters that moved: none
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v ethtool >/dev/null || {
  apt-get update -qq && apt-get install -y -qq --no-install-recommends ethtool
} >/dev/null 2>&1
ns="finding-mtu-$$"
trap 'ip netns delete "$ns" 2>/dev/null || true' EXIT
ip netns add "$ns"
ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip -n "$ns" link add br0 type bridge
for pair in a b; do
  ip -n "$ns" link add "${pair}0" mtu 9000 type veth peer name "${pair}1" mtu 9000
  ip -n "$ns" link set "${pair}1" master br0
done
ip -n "$ns" link set b1 mtu 1500
for name in a0 a1 b0 b1 br0; do ip -n "$ns" link set "$name" up; done
timeout 40 ip netns exec "$ns" python3 - <<'PY'
import json, socket, subprocess, sys, time

ETHERTYPE, TIMES = 0x88B5, 5
A, B = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
OF_THE_WAY = {(name, way, what) for name, way in (("a0", "tx"), ("a1", "rx"))
              for what in ("packets", "bytes")}


def opened(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.bind((name, ETHERTYPE))
    s.settimeout(0.5)
    return s


def frame(to, whence, length):
    return (to + whence + ETHERTYPE.to_bytes(2, "big")).ljust(length, b"\0")


def output(*words):
    return subprocess.run(words, capture_output=True, text=True).stdout


def counters():
    found = {}
    for link in json.loads(output("ip", "-s", "-s", "-j", "link")):
        name = link["ifname"]
        for way, counts in link["stats64"].items():
            found |= {(name, way, what): count for what, count in counts.items()}
        for line in output("ethtool", "-S", name).splitlines()[1:]:
            what, _, count = line.rpartition(":")
            found[name, "ethtool", what.strip()] = count
    for table in ("snmp", "netstat"):
        with open(f"/proc/net/{table}") as file:
            rows = [line.split() for line in file]
        for names, counts in zip(rows[::2], rows[1::2]):
            found |= {(table, names[0], what): count for what, count in zip(names, counts)}
    with open("/proc/net/softnet_stat") as file:
        for core, line in enumerate(file):
            found["softnet_stat", core, "dropped"] = line.split()[1]
    return found


def arrived(s, length):
    count = 0
    try:
        while True:
            count += len(s.recv(16384)) == length
    except TimeoutError:
        return count


time.sleep(0.5)
a, b = opened("a0"), opened("b0")
b.send(frame(A, B, 60))  # so that the bridge knows where B is
a.send(frame(B, A, 60))
ok = arrived(b, 60) == 1
for length, wanted in ((1514, TIMES), (1518, TIMES), (1519, 0), (9014, 0)):
    before = counters()
    for _ in range(TIMES):
        a.send(frame(B, A, length))
    count = arrived(b, length)
    after = counters()
    line = f"{length} bytes: {count} of {TIMES} arrived"
    if count == 0:
        others = {key for key in after if after[key] != before.get(key)} - OF_THE_WAY
        moved = ", ".join(" ".join(map(str, key)) for key in sorted(others, key=str)) or "none"
        line += f"; other counters that moved: {moved}"
        ok = ok and not others
    print(line)
    ok = ok and count == wanted
sys.exit(0 if ok else 1)
PY
