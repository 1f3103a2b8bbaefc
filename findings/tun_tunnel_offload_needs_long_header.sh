#!/usr/bin/env bash
# A TAP accepts the offload flags for tunnels while its header is too short for them; after that
# no read() works any more.
#
# Seen with: Linux 6.18.44 (the flags are new in 6.17), Python 3.11. No package is installed.
#
# One would expect: TUNSETOFFLOAD with TUN_F_UDP_TUNNEL_GSO and TUN_F_UDP_TUNNEL_GSO_CSUM fails
# with EINVAL as long as the virtio_net_hdr has its usual 10 or 12 bytes, since the tunnel's
# offsets need the header of 24 bytes (TUNSETVNETHDRSZ). Or the flags have no effect then.
#
# Seen: the ioctl succeeds with each header. With 24 bytes frames are read as ever. With 10 and
# with 12 bytes every read() of any frame, a plain ARP request among them, fails with EFAULT
# although the buffer is sound, and the frame is lost. Set the length first, and look at it.
#
#   header of 10 bytes, no tunnel flags: TUNSETOFFLOAD ok, read() gives a frame
#   header of 10 bytes, tunnel flags: TUNSETOFFLOAD ok, read() says EFAULT
#   header of 12 bytes, tunnel flags: TUNSETOFFLOAD ok, read() says EFAULT
#   header of 24 bytes, tunnel flags: TUNSETOFFLOAD ok, read() gives a frame
#
# Needs root and /dev/net/tun. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
ns="finding-tun-$$"
trap 'ip netns delete "$ns" 2>/dev/null || true' EXIT
ip netns add "$ns"
timeout 40 ip netns exec "$ns" python3 - <<'PY'
import errno, fcntl, os, select, socket, struct, subprocess, sys, time

TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 2, 0x1000, 0x4000
CSUM, TSO4, TSO6, USO4, USO6, TUNNEL, TUNNEL_CSUM = 1, 2, 4, 0x20, 0x40, 0x80, 0x100
BASE = CSUM | TSO4 | TSO6 | USO4 | USO6


def attempt(number, header, flags):
    name = f"t{number}"
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        mode = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR
        fcntl.ioctl(fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), mode))
        fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", header))
        try:
            fcntl.ioctl(fd, TUNSETOFFLOAD, flags)
            told = "ok"
        except OSError as e:
            return f"TUNSETOFFLOAD says {errno.errorcode[e.errno]}"
        subprocess.run(["ip", "link", "set", name, "up"], check=True)
        sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sender.bind((name, 0x0806))
        sender.send(b"\xff" * 6 + b"\x02\0\0\0\0\x01" + b"\x08\x06" + b"\0" * 46)
        end = time.time() + 3
        while time.time() < end:
            if not select.select([fd], [], [], 0.5)[0]:
                continue
            try:
                os.read(fd, 65600)
                return f"TUNSETOFFLOAD {told}, read() gives a frame"
            except OSError as e:
                if e.errno != errno.EAGAIN:
                    return f"TUNSETOFFLOAD {told}, read() says {errno.errorcode[e.errno]}"
        return f"TUNSETOFFLOAD {told}, nothing to read"
    finally:
        os.close(fd)


tunnel = BASE | TUNNEL | TUNNEL_CSUM
cases = [
    (10, BASE, "no tunnel flags", "TUNSETOFFLOAD ok, read() gives a frame"),
    (10, tunnel, "tunnel flags", "TUNSETOFFLOAD ok, read() says EFAULT"),
    (12, tunnel, "tunnel flags", "TUNSETOFFLOAD ok, read() says EFAULT"),
    (24, tunnel, "tunnel flags", "TUNSETOFFLOAD ok, read() gives a frame"),
]
ok = True
for number, (header, flags, what, expected) in enumerate(cases):
    found = attempt(number, header, flags)
    print(f"header of {header} bytes, {what}: {found}")
    ok = ok and found == expected
sys.exit(0 if ok else 1)
PY
