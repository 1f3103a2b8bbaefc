#!/usr/bin/env bash
# A TCP super-frame inside VXLAN, received by AF_PACKET with PACKET_VNET_HDR, cannot be sent again
# with the header it came with: ENOMEM, or ENOBUFS with PACKET_QDISC_BYPASS.
#
# Seen with: Linux 6.18.44, veth and VXLAN with their default offloads, Python 3.11. No package is
# installed.
#
# One would expect: the virtio_net_hdr that the kernel gives describes the frame beside it, so that
# the same kernel takes both back; plain TCP super-frames go on whole in this way. Or the header
# tells of the tunnel (VIRTIO_NET_HDR_GSO_UDP_TUNNEL_IPV4 exists since 6.17), or the frame is cut
# before a socket sees it that cannot be told of a tunnel.
#
# Seen: gso_type is plain TCPV4 (1), with csum_start and csum_offset of the inner TCP header, and
# nothing tells of the tunnel around it. send() of the very same bytes fails each time, and not
# for want of memory: no retry helps, while plain super-frames pass in the same second. TCP in the
# tunnel gets only its small segments through. The frame has to be cut by the program, outer
# headers included, or the source told to cut it (tx-udp_tnl-segmentation off).
#
#   plain TCP: gso_type [1]: some sent again, none refused
#   TCP in VXLAN: gso_type [1]: none sent again, some refused, ENOMEM
#   TCP in VXLAN, bypass: gso_type [1]: none sent again, some refused, ENOBUFS
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
a="finding-vxlan-a-$$" m="finding-vxlan-m-$$" b="finding-vxlan-b-$$"
trap 'for n in "$a" "$m" "$b"; do ip netns delete "$n" 2>/dev/null || true; done' EXIT
for n in "$a" "$m" "$b"; do ip netns add "$n"; done
ip -n "$a" link add a0 type veth peer name m0 netns "$m"
ip -n "$b" link add b0 type veth peer name m1 netns "$m"
ip -n "$m" link set m0 up
ip -n "$m" link set m1 up
host=1
for end in "$a a0" "$b b0"; do
  read -r ns name <<< "$end"
  ip -n "$ns" link set "$name" up
  ip -n "$ns" addr add "198.18.0.$host/24" dev "$name"
  ip -n "$ns" link add vx0 type vxlan id 7 remote "198.18.0.$((3 - host))" dstport 4789 dev "$name"
  ip -n "$ns" addr add "198.18.1.$host/24" dev vx0
  ip -n "$ns" link set vx0 up
  host=$((host + 1))
done
attempt() { # NETWORK BYPASS
  timeout 20 ip netns exec "$m" python3 - "$a" "$b" "$1" "$2" <<'PY'
import collections, errno, select, socket, struct, subprocess, sys, time

SOL_PACKET, PACKET_VNET_HDR, PACKET_QDISC_BYPASS, PACKET_IGNORE_OUTGOING = 263, 15, 20, 23
a, b, network, bypass = sys.argv[1:]


def opened(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    s.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, int(bypass))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 23)
    s.bind((name, 3))
    return s


m0, m1 = opened("m0"), opened("m1")
other = {m0: m1, m1: m0}
receiver = f"""
import socket
s = socket.create_server(("{network}.2", 5201))
s.settimeout(5)
c, _ = s.accept()
c.settimeout(2)
try:
    while c.recv(1 << 20):
        pass
except TimeoutError:
    pass
"""
sender = f"""
import socket, time
s = socket.create_connection(("{network}.2", 5201), timeout=4)
s.settimeout(1)
end = time.time() + 1
try:
    while time.time() < end:
        s.send(b"x" * 60000)
except TimeoutError:
    pass
"""
run = lambda ns, text: subprocess.Popen(["ip", "netns", "exec", ns, "python3", "-c", text])
children = [run(b, receiver)]
time.sleep(0.5)
children.append(run(a, sender))
sent, failed, types, end = 0, collections.Counter(), set(), time.time() + 4
while time.time() < end:
    for s in select.select([m0, m1], [], [], 0.2)[0]:
        data = s.recv(70000)
        gso_type = data[1]
        try:
            other[s].send(data)
            sent += gso_type != 0
        except OSError as e:
            if gso_type:
                failed[errno.errorcode[e.errno]] += 1
        if gso_type:
            types.add(gso_type)
for child in children:
    child.wait(10)
many = lambda n: "some" if n else "none"
why = "".join(f", {name}" for name in sorted(failed))
print(f"gso_type {sorted(types)}: {many(sent)} sent again, {many(sum(failed.values()))} refused{why}")
PY
}
plain=$(attempt 198.18.0 0)
inside=$(attempt 198.18.1 0)
bypass=$(attempt 198.18.1 1)
echo "plain TCP: $plain"
echo "TCP in VXLAN: $inside"
echo "TCP in VXLAN, bypass: $bypass"
[ "$plain" = "gso_type [1]: some sent again, none refused" ] &&
  [ "$inside" = "gso_type [1]: none sent again, some refused, ENOMEM" ] &&
  [ "$bypass" = "gso_type [1]: none sent again, some refused, ENOBUFS" ]
