#!/usr/bin/env bash
# An XDP program at a veth does not see the VLAN tag of a frame that came through a bridge; the
# same frame straight from its sender has it.
#
# Seen with: Linux 6.18.44, veth, bridge, Python 3.11, ethtool from Debian 12 (6.1). If ethtool is
# not there, it is installed from Debian.
#
# One would expect: XDP comes before the stack, so that the program sees the frame as it is on the
# wire, tag included, as long as the receiving device's rx-vlan-offload does not take it out: that
# offload is off at a veth. What the bridge, without vlan_filtering, does beside it changes nothing.
#
# Seen: the bridge's stack takes the tag out of the data as it receives the frame, and the sending
# veth offers to put it back ("tx-vlan-offload: on") but hands it over beside the data. A program
# that passes only frames with 0x8100 at byte 12 passes all of those from the far end of the veth,
# and none that crossed the bridge, in native and in generic mode. A packet socket gets the tag in
# both cases. An AF_XDP socket, and a redirect to another device, have the frame without it. With
# `ethtool -K PORT txvlan off` at the bridge's port, not at the receiver, all have it.
#
#   no program: 5 of 5 from the bridge, 5 of 5 from the far end
#   native:     0 of 5 from the bridge, 5 of 5 from the far end, 5 of 5 with txvlan off
#   generic:    0 of 5 from the bridge, 5 of 5 from the far end, 5 of 5 with txvlan off
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v ethtool >/dev/null || {
  apt-get update -qq && apt-get install -y -qq --no-install-recommends ethtool
} >/dev/null 2>&1
ns="finding-vlan-$$"
trap 'ip netns delete "$ns" 2>/dev/null || true' EXIT
ip netns add "$ns"
ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip -n "$ns" link add a0 type veth peer name a1
ip -n "$ns" link add b0 type veth peer name b1
ip -n "$ns" link add br0 type bridge
ip -n "$ns" link set a1 master br0
ip -n "$ns" link set b1 master br0
for name in a0 a1 b0 b1 br0; do ip -n "$ns" link set "$name" up; done
timeout 40 ip netns exec "$ns" python3 - <<'PY'
import ctypes, os, socket, struct, subprocess, sys, time

BPF, PROG_LOAD, PROG_TYPE_XDP = 321, 5, 6
RTM_SETLINK, REQUEST_ACK, IFLA_XDP, NESTED = 19, 5, 43, 0x8000
IFLA_XDP_FD, IFLA_XDP_FLAGS = 1, 3
MODES = {"native": 4, "generic": 2}
TIMES = 5
FRAME = bytes.fromhex("ffffffffffff020000000001810000050800") + bytes(46)
libc = ctypes.CDLL(None, use_errno=True)


def loaded():
    """A program that passes frames with the tag's type at byte 12, and drops all others."""
    code = b"".join(struct.pack("<BBhi", *instruction) for instruction in [
        (0x61, 0x12, 0, 0),  # r2 = data
        (0x61, 0x13, 4, 0),  # r3 = its end
        (0xB7, 0, 0, 1),  # r0 = XDP_DROP
        (0xBF, 0x24, 0, 0),  # r4 = r2
        (0x07, 4, 0, 14),  # r4 += 14
        (0x2D, 0x34, 3, 0),  # if r4 > r3: to the end
        (0x69, 0x25, 12, 0),  # r5 = the two bytes at r2 + 12
        (0x55, 5, 1, 0x0081),  # if r5 is not 0x8100: to the end
        (0xB7, 0, 0, 2),  # r0 = XDP_PASS
        (0x95, 0, 0, 0),  # return r0
    ])
    text = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("<IIQQ", PROG_TYPE_XDP, len(code) // 8, ctypes.addressof(text),
                             ctypes.addressof(licence)).ljust(128, b"\0")
    fd = libc.syscall(BPF, PROG_LOAD, attributes, len(attributes))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return fd


def attach(name, fd, flags):
    xdp = struct.pack("HHiHHI", 8, IFLA_XDP_FD, fd, 8, IFLA_XDP_FLAGS, flags)
    link = struct.pack("BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0)
    body = link + struct.pack("HH", 4 + len(xdp), IFLA_XDP | NESTED) + xdp
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(struct.pack("IHHII", 16 + len(body), RTM_SETLINK, REQUEST_ACK, 1, 0) + body)
        error, = struct.unpack_from("i", s.recv(4096), 16)
    if error:
        raise OSError(-error, f"XDP at {name}")


def count(sender):
    rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    rx.bind(("b0", 3))
    rx.settimeout(0.5)
    tx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    tx.bind((sender, 0))
    for _ in range(TIMES):
        tx.send(FRAME)
    arrived = 0
    try:
        while True:
            arrived += rx.recv(2048)[:12] == FRAME[:12]
    except TimeoutError:
        return arrived


def offload(state):
    subprocess.run(["ethtool", "-K", "b1", "txvlan", state], check=True, stdout=subprocess.DEVNULL)


time.sleep(0.5)
found = {"no program": [count("a0"), count("b1")]}
program = loaded()
for mode, flags in MODES.items():
    attach("b0", program, flags)
    found[mode] = [count("a0"), count("b1")]
    offload("off")
    found[mode].append(count("a0"))
    offload("on")
    attach("b0", -1, flags)
whence = ["from the bridge", "from the far end", "with txvlan off"]
for what, counts in found.items():
    print(f"{what + ':':11}", ", ".join(f"{n} of {TIMES} {w}" for n, w in zip(counts, whence)))
wanted = {"no program": [5, 5], "native": [0, 5, 5], "generic": [0, 5, 5]}
sys.exit(0 if found == wanted else 1)
PY
