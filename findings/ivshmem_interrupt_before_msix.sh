#!/usr/bin/env bash
# QEMU's ivshmem-doorbell takes an interrupt that comes before the guest has enabled MSI-X, and
# forgets it: it is neither pending afterwards, nor left in the eventfd.
#
# Seen with: QEMU 7.2 (Debian 12), TCG, no guest (registers by qtest), Python 3.11. If QEMU is not
# there, it is installed from Debian.
#
# One would expect: what QEMU's specification says of a doorbell, "the peer's interrupt for this
# vector then becomes pending", and that software has no way to clear it. Or that the event stays in
# the eventfd, which keeps its count until somebody reads it, until the device can deliver it.
#
# Seen: with MSI-X enabled and the vector masked, an event leaves the eventfd and sets the bit in
# the Pending Bit Array. With MSI-X not enabled yet, it leaves the eventfd too, and the bit is 0
# when MSI-X is enabled, whether the event came by the eventfd before or after the device was
# there. So a peer that rings while the guest's driver loads is not heard: a driver has to look at
# the shared memory once after it has enabled MSI-X.
#
#   before QEMU had the eventfd: count left 0, pending 0
#   MSI-X not enabled:           count left 0, pending 0
#   enabled, vector masked:      count left 0, pending 1
#
# Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v qemu-system-x86_64 >/dev/null || {
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends 'qemu-system-x86=1:7.2*'
} >/dev/null 2>&1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
timeout 50 python3 - "$folder" <<'PY'
import array, os, socket, struct, subprocess, sys, time

SLOT, VECTORS, OURS, MSIX = 4, 2, 3, 0x11
MSIX_BAR = 0xFE100000
ENABLE, MASK_ALL = 0x8000, 0x4000
path = f"{sys.argv[1]}/server"
server = socket.socket(socket.AF_UNIX)
server.bind(path)
server.listen()
server.settimeout(20)
memory = os.memfd_create("region")
os.ftruncate(memory, 1 << 20)
eventfds = [os.eventfd(0, os.EFD_NONBLOCK) for _ in range(VECTORS)]


def attempt(early, late):
    """What is left of events on vector 0, before QEMU has the eventfd and with MSI-X off or on."""
    qemu = subprocess.Popen(
        ["qemu-system-x86_64", "-S", "-nodefaults", "-display", "none", "-machine", "q35,accel=tcg",
         "-qtest", "stdio", "-qtest-log", "/dev/null", "-chardev", f"socket,path={path},id=server",
         "-device", f"ivshmem-doorbell,chardev=server,vectors={VECTORS},addr={SLOT}"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        return with_qemu(qemu, early, late)
    finally:
        qemu.kill()
        qemu.wait()


def with_qemu(qemu, early, late):
    def call(line):
        qemu.stdin.write(line + "\n")
        qemu.stdin.flush()
        while not (answer := qemu.stdout.readline()).startswith("OK"):
            if answer == "":
                raise EOFError("QEMU ended")
        return int(answer.split()[1], 16) if " " in answer else None

    def config(offset, value=None, size="l"):
        call(f"outl 0xcf8 {0x80000000 | SLOT << 11 | offset & ~3:#x}")
        port = 0xcfc + (offset & 3)
        if value is None:
            return call(f"in{size} {port:#x}")
        call(f"out{size} {port:#x} {value:#x}")

    client, _ = server.accept()

    def tell(number, fd=None):
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))] if fd else []
        client.sendmsg([struct.pack("<q", number)], rights)

    if early:
        os.eventfd_write(eventfds[0], 1)
    tell(0)
    tell(OURS)
    tell(-1, memory)
    for fd in eventfds:
        tell(OURS, fd)
    config(0x14, MSIX_BAR)  # BAR 1
    config(0x04, 2, "w")  # memory space on
    time.sleep(0.5)
    capability = config(0x34) & 0xff
    while config(capability) & 0xff != MSIX:
        capability = config(capability) >> 8 & 0xff
    if late == "off":
        os.eventfd_write(eventfds[0], 1)
        time.sleep(0.5)
    config(capability + 2, ENABLE | MASK_ALL, "w")
    if late == "on":
        os.eventfd_write(eventfds[0], 1)
        time.sleep(0.5)
    try:
        left = os.eventfd_read(eventfds[0])
    except BlockingIOError:
        left = 0
    pending = call(f"readl {MSIX_BAR + (config(capability + 8) & ~7):#x}")
    client.close()
    return left, pending


cases = {
    "before QEMU had the eventfd": (True, None, (0, 0)),
    "MSI-X not enabled": (False, "off", (0, 0)),
    "enabled, vector masked": (False, "on", (0, 1)),
}
ok = True
for what, (early, late, wanted) in cases.items():
    found = attempt(early, late)
    print(f"{what + ':':28} count left {found[0]}, pending {found[1]}")
    ok = ok and found == wanted
sys.exit(0 if ok else 1)
PY
