#!/usr/bin/env bash
# AF_XDP, copy mode: sendto() that says EBUSY has dropped a frame and completed it: nothing is busy,
# and a retry sends the frames behind it, not that one.
#
# Seen with: Linux 6.18.44, veth, Python 3.11.
#
# One would expect: EBUSY means "try again", as the kernel's AF_XDP documentation and libxdp's
# examples take it, beside EAGAIN and ENOBUFS; what was not sent stays in the tx ring.
#
# Seen: of five frames in the tx ring, the middle one a byte longer than MTU, header and tag may be,
# the first call sends two and says EBUSY, with the third taken from the ring. The second call
# sends the last two and says 0. All five addresses come back by the completion ring, four frames
# arrive. So it is, too, if the long frame is the only one in the ring.
#
#   five frames: EBUSY with 3 taken, then 0 with 5 taken; 5 completed, 4 arrived
#   one frame:   EBUSY with 1 taken, then 0 with 1 taken; 1 completed, 0 arrived
#
# So a forwarder that counts what the ring's consumer has passed counts a lost frame as sent.
#
# Needs root. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
ns="finding-xdp-$$"
trap 'ip netns delete "$ns" 2>/dev/null || true' EXIT
ip netns add "$ns"
ip netns exec "$ns" sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip -n "$ns" link add v0 type veth peer name v1
ip -n "$ns" link set v0 up
ip -n "$ns" link set v1 up
timeout 40 ip netns exec "$ns" python3 - <<'PY'
import ctypes, errno, mmap, os, socket, struct, sys, time

AF_XDP, SOL_XDP = 44, 283
MMAP_OFFSETS, TX_RING, UMEM_REG, FILL_RING, COMPLETION_RING = 1, 3, 4, 5, 6
XDP_COPY, CHUNK, SIZE = 2, 2048, 8
TX_PAGE, COMPLETION_PAGE = 0x80000000, 0x180000000
HEADER = b"\xff" * 6 + b"\x02\0\0\0\0\x01" + b"\x88\xb5"
libc = ctypes.CDLL(None, use_errno=True)


def attempt(lengths):
    """Send frames of these lengths by two calls: what each said, and what came of it."""
    rx = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    rx.bind(("v1", 3))
    rx.settimeout(0.3)
    umem = mmap.mmap(-1, SIZE * CHUNK)
    address = ctypes.addressof(ctypes.c_char.from_buffer(umem))
    fd = libc.socket(AF_XDP, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)

    def option(name, value):
        if libc.setsockopt(fd, SOL_XDP, name, value, len(value)) < 0:
            raise OSError(ctypes.get_errno(), f"option {name}")

    option(UMEM_REG, struct.pack("<QQIIII", address, SIZE * CHUNK, CHUNK, 0, 0, 0))
    for ring in (TX_RING, FILL_RING, COMPLETION_RING):
        option(ring, struct.pack("<I", SIZE))
    offsets, length = ctypes.create_string_buffer(128), ctypes.c_uint32(128)
    libc.getsockopt(fd, SOL_XDP, MMAP_OFFSETS, offsets, ctypes.byref(length))
    rings = [struct.unpack_from("<QQQQ", offsets, 32 * i) for i in range(4)]  # rx tx fill completion
    tx, completion = mmap.mmap(fd, 4096, offset=TX_PAGE), mmap.mmap(fd, 4096, offset=COMPLETION_PAGE)
    bound = struct.pack("<HHIII", AF_XDP, XDP_COPY, socket.if_nametoindex("v0"), 0, 0)
    end = time.monotonic() + 5
    while libc.bind(fd, bound, len(bound)) < 0:  # a closed socket keeps its queue for a moment
        if ctypes.get_errno() != errno.EBUSY or time.monotonic() > end:
            raise OSError(ctypes.get_errno(), "bind")
        time.sleep(0.01)
    producer, consumer, entries, _ = rings[1]
    for i, length in enumerate(lengths):
        umem[i * CHUNK:i * CHUNK + length] = HEADER + bytes([i]) * (length - len(HEADER))
        struct.pack_into("<QII", tx, entries + 16 * i, i * CHUNK, length, 0)
    struct.pack_into("<I", tx, producer, len(lengths))
    said = []
    for _ in range(2):
        result = libc.sendto(fd, None, 0, socket.MSG_DONTWAIT, None, 0)
        name = "0" if result >= 0 else errno.errorcode[ctypes.get_errno()]
        said.append((name, struct.unpack_from("<I", tx, consumer)[0]))
    arrived = 0
    try:
        while True:
            arrived += rx.recv(4096)[12:14] == b"\x88\xb5"
    except TimeoutError:
        pass
    completed = struct.unpack_from("<I", completion, rings[3][0])[0]
    tx.close(), completion.close(), rx.close()
    os.close(fd)
    return said, completed, arrived


results = []
for what, lengths in (("five frames", [60, 60, 1519, 60, 60]), ("one frame", [1519])):
    said, completed, arrived = attempt(lengths)
    calls = ", then ".join(f"{name} with {taken} taken" for name, taken in said)
    print(f"{what + ':':12} {calls}; {completed} completed, {arrived} arrived")
    results.append((said, completed, arrived))
expected = [([("EBUSY", 3), ("0", 5)], 5, 4), ([("EBUSY", 1), ("0", 1)], 1, 0)]
sys.exit(results != expected)
PY
