#!/usr/bin/env bash
# A native XDP program at one end of a veth switches off TSO at the other end, in whatever network
# namespace that is; one that can take long frames (xdp.frags) does so too.
#
# Seen with: Linux 6.18.44, veth, Python 3.11, ethtool from Debian 12 (6.1). If ethtool is not
# there, it is installed from Debian.
#
# One would expect: a program at a container's host end concerns what that end receives. If it can
# handle one buffer only, the kernel cuts long frames before it sees them; a program loaded with
# BPF_F_XDP_HAS_FRAGS, which is there for frames of several buffers, gets them whole.
#
# Seen: as soon as a program is attached to the host's end in native mode, the container's end has
# TSO and UDP segmentation off, by nobody's wish there, and has them back when the program is
# detached. With BPF_F_XDP_HAS_FRAGS the largest MTU rises from 3506 to 73138, but TSO is off as
# well: the sender's kernel cuts each super-frame to the MTU. Only generic mode leaves it.
#
#   no program:   TSO on,  UDP segmentation on,  largest MTU 65535
#   native:       TSO off, UDP segmentation off, largest MTU 3506
#   detached:     TSO on,  UDP segmentation on,  largest MTU 65535
#   native frags: TSO off, UDP segmentation off, largest MTU 73138
#   generic:      TSO on,  UDP segmentation on,  largest MTU 65535
#
# So a program that was tried and left behind takes its super-frames from every sender at the far
# end, and the only trace is there. The largest MTUs depend on the kernel's build: all that is held
# to is that the one with fragments is the larger one.
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v ethtool >/dev/null || {
  apt-get update -qq && apt-get install -y -qq --no-install-recommends ethtool
} >/dev/null 2>&1
host="finding-tso-h-$$" container="finding-tso-c-$$"
trap 'for n in "$host" "$container"; do ip netns delete "$n" 2>/dev/null || true; done' EXIT
for n in "$host" "$container"; do ip netns add "$n"; done
ip -n "$host" link add v0 type veth peer name v1 netns "$container"
ip -n "$host" link set v0 up
ip -n "$container" link set v1 up
timeout 40 ip netns exec "$host" python3 - "$container" <<'PY'
import ctypes, os, re, socket, struct, subprocess, sys

BPF, PROG_LOAD, PROG_TYPE_XDP, HAS_FRAGS = 321, 5, 6, 1 << 5
RTM_SETLINK, REQUEST_ACK, IFLA_XDP, NESTED = 19, 5, 43, 0x8000
IFLA_XDP_FD, IFLA_XDP_FLAGS, GENERIC, NATIVE = 1, 3, 2, 4
libc = ctypes.CDLL(None, use_errno=True)


def loaded(flags):
    """A program that passes each frame."""
    code = struct.pack("<BBhi", 0xB7, 0, 0, 2) + struct.pack("<BBhi", 0x95, 0, 0, 0)
    text = ctypes.create_string_buffer(code, len(code))
    licence = ctypes.create_string_buffer(b"GPL")
    attributes = struct.pack("<IIQQIIQII", PROG_TYPE_XDP, len(code) // 8, ctypes.addressof(text),
                             ctypes.addressof(licence), 0, 0, 0, 0, flags).ljust(128, b"\0")
    fd = libc.syscall(BPF, PROG_LOAD, attributes, len(attributes))
    if fd < 0:
        raise OSError(ctypes.get_errno(), "bpf")
    return fd


def attach(fd, mode):
    xdp = struct.pack("HHiHHI", 8, IFLA_XDP_FD, fd, 8, IFLA_XDP_FLAGS, mode)
    link = struct.pack("BxHiII", 0, 0, socket.if_nametoindex("v0"), 0, 0)
    body = link + struct.pack("HH", 4 + len(xdp), IFLA_XDP | NESTED) + xdp
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
        s.send(struct.pack("IHHII", 16 + len(body), RTM_SETLINK, REQUEST_ACK, 1, 0) + body)
        error, = struct.unpack_from("i", s.recv(4096), 16)
    if error:
        raise OSError(-error, "XDP at v0")


def far_end():
    run = lambda *words: subprocess.run(["ip", "netns", "exec", sys.argv[1], *words], check=True,
                                        capture_output=True, text=True).stdout
    features = dict(re.findall(r"^\s*([\w-]+): (\w+)", run("ethtool", "-k", "v1"), re.M))
    largest, = re.findall(r"maxmtu (\d+)", run("ip", "-d", "link", "show", "v1"))
    return features["tcp-segmentation-offload"], features["tx-udp-segmentation"], int(largest)


found = {"no program": far_end()}
plain, frags = loaded(0), loaded(HAS_FRAGS)
attach(plain, NATIVE)
found["native"] = far_end()
attach(-1, NATIVE)
found["detached"] = far_end()
attach(frags, NATIVE)
found["native frags"] = far_end()
attach(-1, NATIVE)
attach(plain, GENERIC)
found["generic"] = far_end()
for what, (tso, udp, largest) in found.items():
    print(f"{what + ':':13} TSO {tso + ',':4} UDP segmentation {udp + ',':4} largest MTU {largest}")
offloads = [offload for *offload, _ in found.values()]
on, off = ["on", "on"], ["off", "off"]
rises = found["native"][2] < found["native frags"][2]
sys.exit(0 if offloads == [on, off, on, off, on] and rises else 1)
PY
