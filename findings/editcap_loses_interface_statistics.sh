#!/usr/bin/env bash
# editcap, mergecap and `tshark -r -w` lose a capture's Interface Statistics Blocks: the copy of a
# capture that missed packets looks like one that missed none.
#
# Seen with: editcap, mergecap, tshark, dumpcap and capinfos 4.0.17 (Debian 12), Python 3.11. What
# is not there is installed from Debian.
#
# One would expect: a copy of a pcapng file to pcapng, with no packet taken out, keeps what a
# capture says about itself. Names, comments, flags and the drop counts of single packets are
# kept, and capinfos knows the blocks ("Number of stat entries").
#
# Seen: in a file as dumpcap writes it, one block at the end says that 1000 packets were received
# and 17 dropped (isb_ifrecv, isb_ifdrop). Each of the three programs writes both packets, the
# interface's name and a packet's comment, but not that block, and says nothing. Of the family only
# dumpcap, reading the file from a pipe, passes it on. Who needs the drop counts takes them from the
# file as it was captured, before anything else has touched it.
#
#   written:  2 packets, name kept, comment kept, 1 statistics block, capinfos: 1 stat entries
#   editcap:  2 packets, name kept, comment kept, 0 statistics blocks, capinfos: 0 stat entries
#   mergecap: 2 packets, name kept, comment kept, 0 statistics blocks, capinfos: 0 stat entries
#   tshark:   2 packets, name kept, comment kept, 0 statistics blocks, capinfos: 0 stat entries
#   dumpcap:  2 packets, name kept, comment kept, 1 statistics block, capinfos: 1 stat entries
#
# Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
command -v editcap >/dev/null && command -v tshark >/dev/null || {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    'tshark=4.0.*' 'wireshark-common=4.0.*'
} >/dev/null 2>&1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
timeout 50 python3 - "$folder" <<'PY'
import re, struct, subprocess, sys

SECTION, INTERFACE, STATISTICS, PACKET = 0x0A0D0D0A, 1, 5, 6
NAME, COMMENT = b"port-of-a-vm", b"a comment of a packet"
TIME = 1_700_000_000 * 10**6
folder = sys.argv[1]


def block(kind, body):
    total = 12 + len(body)
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total)


def options(*those):
    texts = [struct.pack("<HH", code, len(v)) + v + bytes(-len(v) % 4) for code, v in those]
    return b"".join(texts) + bytes(4)


def at(interface, time):
    return struct.pack("<III", interface, time >> 32, time & 0xffffffff)


def packet(time, *those):
    frame = bytes.fromhex("ffffffffffff02000000000188b5") + bytes(46)
    return block(PACKET, at(0, time) + struct.pack("<II", 60, 60) + frame + options(*those))


def path(name):
    return f"{folder}/{name}.pcapng"


def seen(name):
    with open(path(name), "rb") as file:
        data = file.read()
    kinds, offset = [], 0
    while offset < len(data):
        kind, total = struct.unpack_from("<II", data, offset)
        kinds.append(kind)
        offset += total
    told = subprocess.run(["capinfos", "-I", path(name)], capture_output=True, text=True).stdout
    entries = sum(map(int, re.findall(r"stat entries = (\d+)", told)))
    return kinds.count(PACKET), NAME in data, COMMENT in data, kinds.count(STATISTICS), entries


counts = ((4, struct.pack("<Q", 1000)), (5, struct.pack("<Q", 17)))
with open(path("written"), "wb") as file:
    file.write(block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    file.write(block(INTERFACE, struct.pack("<HHI", 1, 0, 262144) + options((2, NAME))))
    file.write(packet(TIME, (1, COMMENT)) + packet(TIME + 1))
    file.write(block(STATISTICS, at(0, TIME + 2) + options(*counts)))
for name, command in {
    "editcap": ["editcap", path("written"), path("editcap")],
    "mergecap": ["mergecap", "-w", path("mergecap"), path("written")],
    "tshark": ["tshark", "-r", path("written"), "-w", path("tshark")],
    "dumpcap": ["dumpcap", "-q", "-i", "-", "-w", path("dumpcap")],
}.items():
    with open(path("written"), "rb") as source:
        subprocess.run(command, check=True, stdin=source, stderr=subprocess.DEVNULL)
wanted = {"written": (2, True, True, 1, 1)}
wanted |= dict.fromkeys(["editcap", "mergecap", "tshark"], (2, True, True, 0, 0))
wanted["dumpcap"] = wanted["written"]
found = {name: seen(name) for name in wanted}
for name, (packets, named, commented, blocks, entries) in found.items():
    kept = ", ".join(f"{what} {'kept' if there else 'lost'}"
                     for what, there in (("name", named), ("comment", commented)))
    s = "" if blocks == 1 else "s"
    print(f"{name + ':':9} {packets} packets, {kept}, {blocks} statistics block{s}, "
          f"capinfos: {entries} stat entries")
sys.exit(0 if found == wanted else 1)
PY
