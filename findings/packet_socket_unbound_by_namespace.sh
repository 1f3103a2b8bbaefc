#!/usr/bin/env bash
# AF_PACKET: a socket whose interface visits another network namespace is unbound for good, although
# the interface comes back with its name and its index.
#
# Seen with: Linux 6.18.44, veth, Python 3.11.
#
# One would expect: what packet(7) tells of an interface that goes down, ENETDOWN once, after which
# the socket receives again as soon as the interface is up. So it is when the interface only goes
# down.
#
# Seen: ENETDOWN once as the interface leaves, then silence. getsockname() has no interface any more,
# and has none when the interface is back under the same index. bind() again, and frames arrive.
#
#   here:        received 60, bound to va
#   moved away:  ENETDOWN, bound to nothing; then silence
#   moved back:  silence, bound to nothing, the index is the same
#   bound again: received 60, bound to va
#   down and up: ENETDOWN, then received 60, bound to va
#
# So a forwarder that waits for its interface to come back has to bind again, or to open it again,
# whenever getsockname() says so.
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
here="finding-here-$$" there="finding-there-$$"
trap 'ip netns delete "$here" 2>/dev/null || true; ip netns delete "$there" 2>/dev/null || true' EXIT
ip netns add "$here"
ip netns add "$there"
ip netns exec "$here" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip -n "$here" link add va type veth peer name vb
ip -n "$here" link set va up
ip -n "$here" link set vb up
timeout 40 ip netns exec "$here" python3 - "$here" "$there" <<'PY'
import errno, socket, subprocess, sys, time

here, there = sys.argv[1:]
ETHERTYPE = 0x88B5
FRAME = b"\xff" * 6 + b"\x02\0\0\0\0\x01" + ETHERTYPE.to_bytes(2, "big") + b"x" * 46
rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETHERTYPE))
rx.bind(("va", ETHERTYPE))
rx.settimeout(0.5)
tx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
tx.bind(("vb", 0))
index = socket.if_nametoindex("va")


def ip(namespace, *words):
    subprocess.run(["ip", "-n", namespace, *words], check=True)
    time.sleep(0.5)


def look():
    """What a frame from the other end of the veth comes to, and what the socket is bound to."""
    try:
        tx.send(FRAME)
        found = f"received {len(rx.recv(2048))}"
    except TimeoutError:
        found = "silence"
    except OSError as error:
        found = errno.errorcode[error.errno]
    return found, rx.getsockname()[0] or "nothing"


seen = {"here": [look()]}
ip(here, "link", "set", "va", "netns", there)
seen["moved away"] = [look(), look()]
ip(there, "link", "set", "va", "netns", here)
ip(here, "link", "set", "va", "up")
same = socket.if_nametoindex("va") == index
seen["moved back"] = [look()]
rx.bind(("va", ETHERTYPE))
seen["bound again"] = [look()]
ip(here, "link", "set", "va", "down")
down = look()
ip(here, "link", "set", "va", "up")
seen["down and up"] = [down, look()]
for when, looks in seen.items():
    print(f"{when}: " + "; ".join(f"{found}, bound to {bound}" for found, bound in looks))
print(f"the index is {'the same' if same else 'another'}")
wanted = {
    "here": [("received 60", "va")],
    "moved away": [("ENETDOWN", "nothing"), ("silence", "nothing")],
    "moved back": [("silence", "nothing")],
    "bound again": [("received 60", "va")],
    "down and up": [("ENETDOWN", "va"), ("received 60", "va")],
}
sys.exit(0 if same and seen == wanted else 1)
PY
