#!/usr/bin/env bash
# BIG TCP over IPv6: a frame beyond 64 KB, received by AF_PACKET and sent again as it came, has lost
# its hop-by-hop header on the way, but not got a length in its place. send() says that all is well.
#
# Seen with: Linux 6.18.44, veth with gso_max_size and gro_max_size 150000, iproute2 6.1, Python
# 3.11. No package is installed.
#
# One would expect: frames up to 64 KB go on whole, with the header of PACKET_VNET_HDR that they
# came with. A longer one (payload length 0, the true length in a jumbo option of RFC 2675) goes on
# as it is, or is refused as those of VXLAN are, or the kernel cuts it.
#
# Seen: it is taken, and at the far end its next header is 6, TCP: the eight bytes of the option are
# gone, and the payload length is 0 as before. The receiver drops each of them (Ip6InHdrErrors). TCP
# finds its way by sending again what was lost, in smaller frames. So cut such frames before you
# send them, or keep the source from making them (gso_max_size).
#
#   up to 64 KB: some sent again, none refused
#   beyond: some sent again, none refused; received with length 0, next header 0
#   at the far end: length 0, next header 6; all or nearly all of them header errors
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
a="finding-big-a-$$" m="finding-big-m-$$" b="finding-big-b-$$"
trap 'for n in "$a" "$m" "$b"; do ip netns delete "$n" 2>/dev/null || true; done' EXIT
for n in "$a" "$m" "$b"; do ip netns add "$n"; done
ip netns exec "$m" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip -n "$a" link add e0 type veth peer name m0 netns "$m"
ip -n "$b" link add e0 type veth peer name m1 netns "$m"
for end in "$a e0" "$b e0" "$m m0" "$m m1"; do
  read -r ns name <<< "$end"
  ip -n "$ns" link set "$name" gso_max_size 150000 gro_max_size 150000
  ip -n "$ns" link set "$name" up
done
ip -n "$a" addr add 2001:db8::1/64 dev e0 nodad
ip -n "$b" addr add 2001:db8::2/64 dev e0 nodad
timeout 40 ip netns exec "$m" python3 - "$a" "$b" <<'PY'
import collections, select, socket, struct, subprocess, sys, time

SOL_PACKET, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 15, 23
SO_SNDBUFFORCE, SO_RCVBUFFORCE, HEADER, LONG = 32, 33, 10, 65549
a, b = sys.argv[1:]


def opened(name):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    s.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    s.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
    for option in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
        s.setsockopt(socket.SOL_SOCKET, option, 1 << 24)
    s.bind((name, 3))
    return s


receiver = f"""
import select, socket, struct, time
sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
sniffer.setsockopt({SOL_PACKET}, {PACKET_IGNORE_OUTGOING}, 1)
sniffer.bind(("e0", 3))
s = socket.create_server(("2001:db8::2", 5201), family=socket.AF_INET6)
s.settimeout(5)
c, _ = s.accept()
seen, end = set(), time.time() + 4
while time.time() < end:
    for ready in select.select([sniffer, c], [], [], 0.2)[0]:
        data = ready.recv(1 << 19)
        if ready is sniffer and len(data) + 8 > {LONG}:
            seen.add(struct.unpack_from("!HB", data, 18))
        elif ready is c and not data:
            end = min(end, time.time() + 1)
            time.sleep(0.1)
with open("/proc/net/snmp6") as file:
    errors = dict(line.split() for line in file)["Ip6InHdrErrors"]
print(errors, *("length %d, next header %d" % headers for headers in sorted(seen)), sep="|")
"""
sender = """
import socket, time
s = socket.create_connection(("2001:db8::2", 5201), timeout=4)
s.settimeout(1)
end = time.time() + 1
try:
    while time.time() < end:
        s.send(b"x" * 500000)
except TimeoutError:
    pass
"""
m0, m1 = opened("m0"), opened("m1")
other = {m0: m1, m1: m0}
run = lambda ns, text: subprocess.Popen(["ip", "netns", "exec", ns, "python3", "-c", text],
                                        stdout=subprocess.PIPE, text=True)
at_b = run(b, receiver)
time.sleep(0.7)
at_a = run(a, sender)
sent, refused, seen, end = collections.Counter(), collections.Counter(), set(), time.time() + 12
while at_b.poll() is None and time.time() < end:
    for s in select.select([m0, m1], [], [], 0.2)[0]:
        data = s.recv(1 << 19)
        beyond = len(data) - HEADER > LONG
        if beyond:
            seen.add(struct.unpack_from("!HB", data, HEADER + 18))
        try:
            other[s].send(data)
            sent[beyond] += data[1] != 0
        except OSError:
            refused[beyond] += 1
at_a.wait(5)
errors, *arrived = at_b.communicate(timeout=5)[0].strip().split("|")
errors = int(errors)
many = lambda n: "some" if n else "none"
told = ["length %d, next header %d" % headers for headers in sorted(seen)]
for what, beyond, end in (("up to 64 KB", False, ""), ("beyond", True, "; received with ")):
    where = end + " and ".join(told) if beyond else ""
    print(f"{what}: {many(sent[beyond])} sent again, {many(refused[beyond])} refused{where}")
nearly = sent[True] and 0.9 <= errors / sent[True] <= 1
number = "all or nearly all" if nearly else f"{errors} of {sent[True]}"
print(f"at the far end: {' and '.join(arrived)}; {number} of them header errors")
ok = sent[False] and nearly and not refused.total()
wanted = ["length 0, next header 0"], ["length 0, next header 6"]
sys.exit(0 if ok and (told, arrived) == wanted else 1)
PY
