#!/usr/bin/env bash
# A VXLAN bridge port made with `dev` swallows frames of 1500 bytes; the same tunnel made without
# `dev`, which has the larger MTU, answers the sender, in the name of the host that it sends to.
#
# Seen with: Linux 6.18.44, veth, bridge and VXLAN, iproute2 6.1, Python 3.11, ethtool from Debian
# 12 (6.1). If ethtool is not there, it is installed from Debian.
#
# One would expect: the VXLAN device that knows its underlay, and takes an MTU of 1450 from it, is
# the better one; an MTU of 1500 there is a fault, as frames grow beyond the underlay's 1500. And
# a bridge port, which has no address, answers nobody.
#
# Seen: with `dev`, and MTU 1450, the bridge drops longer frames before the tunnel, as bridges do,
# and nobody tells the workload. TCP gets through in super-frames only, which a bridge does not
# measure (their segments cross the underlay as fragments): with TSO off, or with anything between
# that cuts them, it connects and stands still. Without `dev` the MTU is 1500, the frame reaches
# the tunnel, and that makes an ICMP message "fragmentation needed, MTU 1450" whose source is the
# far workload, which never sent it. TCP goes on in each case. `dev` forbids an MTU of 1500.
#
#   with dev, MTU 1450:    TSO on, 300000 bytes arrived; TSO off, 0 bytes arrived; 1500 bytes, DF:
#     told nothing
#   without dev, MTU 1500: TSO on, 300000 bytes arrived; TSO off, 300000 bytes arrived; 1500 bytes,
#     DF: told 1450 by 198.18.1.2, which sent 0 such messages
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v ethtool >/dev/null || {
  apt-get update -qq && apt-get install -y -qq --no-install-recommends ethtool
} >/dev/null 2>&1
p="finding-dev-$$"
trap 'for n in a b left right; do ip netns delete "$p-$n" 2>/dev/null || true; done' EXIT
for n in a b left right; do
  ip netns add "$p-$n"
  ip netns exec "$p-$n" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
done
ip -n "$p-left" link add u0 type veth peer name u0 netns "$p-right"
number=1
for side in "a left" "b right"; do
  read -r workload host <<< "$side"
  ip -n "$p-$host" link set u0 up
  ip -n "$p-$host" addr add "198.18.0.$number/24" dev u0
  ip -n "$p-$host" link add br0 type bridge
  ip -n "$p-$host" link set br0 up
  ip -n "$p-$host" link add p0 type veth peer name e0 netns "$p-$workload"
  ip -n "$p-$host" link set p0 master br0 up
  ip -n "$p-$workload" link set e0 up
  ip -n "$p-$workload" addr add "198.18.1.$number/24" dev e0
  number=$((number + 1))
done
tunnels() { # [dev u0]
  local host number=1
  for host in left right; do
    ip -n "$p-$host" link delete vx0 2>/dev/null || true
    ip -n "$p-$host" link add vx0 type vxlan id 7 dstport 4789 \
      remote "198.18.0.$((3 - number))" "$@"
    ip -n "$p-$host" link set vx0 master br0 up
    number=$((number + 1))
  done
  sleep 0.5
}
tcp() { # TSO
  ip netns exec "$p-a" ethtool -K e0 tso "$1" gso "$1"
  ip netns exec "$p-b" timeout 8 python3 - <<'PY' &
import socket

s = socket.create_server(("198.18.1.2", 5201))
s.settimeout(3)
c, _ = s.accept()
c.settimeout(2)
count = 0
try:
    while data := c.recv(1 << 20):
        count += len(data)
except TimeoutError:
    pass
print(f"{count} bytes arrived")
PY
  sleep 0.5
  ip netns exec "$p-a" timeout 8 python3 - <<'PY'
import socket, struct

s = socket.create_connection(("198.18.1.2", 5201), timeout=2)
s.settimeout(3)
try:
    s.sendall(b"x" * 300000)
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
except TimeoutError:
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
PY
  wait
  ip -n "$p-a" route flush cache
  ip -n "$p-a" tcp_metrics flush
}
datagram() { # what a is told about a datagram of 1500 bytes that must not be cut
  ip netns exec "$p-a" timeout 8 python3 - <<'PY'
import select, socket, struct

IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_RECVERR = 10, 2, 11
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
s.setsockopt(socket.SOL_IP, IP_RECVERR, 1)
s.sendto(b"x" * 1472, ("198.18.1.2", 9))
poll = select.poll()
poll.register(s, 0)
if poll.poll(1500):
    _, told, _, _ = s.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
    mtu, = struct.unpack_from("I", told[0][2], 8)
    print(f"told {mtu} by {socket.inet_ntoa(told[0][2][20:24])}", end="")
else:
    print("told nothing", end="")
PY
  ip -n "$p-a" route flush cache
}
row() {
  printf 'MTU %s: TSO on, %s; TSO off, %s; 1500 bytes, DF: %s\n' \
    "$(ip -n "$p-left" -o link show vx0 | sed 's/.* mtu \([0-9]*\) .*/\1/')" \
    "$(tcp on)" "$(tcp off)" "$(datagram)"
}
tunnels dev u0
with=$(row)
tunnels
without=$(row)
messages=$(ip netns exec "$p-b" awk '$1 != "Icmp:" { next }
  column { print $column }
  { for (i = NF; i > 1; i--) if ($i == "OutDestUnreachs") column = i }' /proc/net/snmp)
without="$without, which sent $messages such messages"
echo "with dev, $with"
echo "without dev, $without"
all="300000 bytes arrived"
[ "$with" = "MTU 1450: TSO on, $all; TSO off, 0 bytes arrived; 1500 bytes, DF: told nothing" ] &&
  [ "$without" = "MTU 1500: TSO on, $all; TSO off, $all; 1500 bytes, DF: told 1450 by 198.18.1.2,\
 which sent 0 such messages" ]
