#!/usr/bin/env bash
# dpkt and scapy read wrong times from a valid pcapng file whose interfaces count time in their own
# ways: dpkt goes by the first interface for all, scapy knows no offset. Neither says so.
#
# Seen with: dpkt 1.9.8 and scapy 2.5.0 of Debian 12, unpacked into a temporary folder (scapy 2.7.0
# does the same); tshark 4.0.17 and tcpdump 4.99.3, installed from Debian if they are not there.
#
# One would expect: each Interface Description Block has a resolution (if_tsresol) and an offset
# (if_tsoffset) of its own (draft-ietf-opsawg-pcapng, 4.2), and a reader that goes by neither says
# so. Merged files are of this kind, and those of tools that give some ports nanoseconds.
#
# Seen: four packets, each written for 1700000000.5 by its interface's clock. tshark and tcpdump
# read that four times. dpkt divides all by the first interface's million, and adds the first one's
# offset: nanoseconds become a time 54,000 years from now, 1024ths one in 1970, and so does the
# packet with the offset. scapy reads the three resolutions, and leaves the offset out.
#
#   interface:   microseconds    nanoseconds      1/1024 s      with an offset
#   tshark:      1700000000.5    1700000000.5     1700000000.5  1700000000.5
#   tcpdump:     1700000000.5    1700000000.5     1700000000.5  1700000000.5
#   dpkt:        1700000000.5    1700000000500.0  1740800.0005  0.5
#   scapy:       1700000000.5    1700000000.5     1700000000.5  0.5
#
# Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
missing=()
command -v tcpdump >/dev/null || missing+=(tcpdump)
command -v tshark >/dev/null || missing+=(tshark)
{
  [ -n "$(apt-cache show python3-dpkt 2>/dev/null)" ] || apt-get update -qq
  if [ ${#missing[@]} -gt 0 ]; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  fi
  (cd "$folder" && apt-get download -qq 'python3-dpkt=1.9.8*' 'python3-scapy=2.5.0*')
} >/dev/null 2>&1
for package in "$folder"/*.deb; do dpkg -x "$package" "$folder/root"; done
PYTHONPATH="$folder/root/usr/lib/python3/dist-packages" timeout 40 python3 - "$folder" <<'PY'
import logging, struct, subprocess, sys, warnings

SECTION, INTERFACE, PACKET, TSRESOL, TSOFFSET = 0x0A0D0D0A, 1, 6, 9, 14
SECONDS = 1_700_000_000
path = f"{sys.argv[1]}/clocks.pcapng"


def block(kind, body):
    total = 12 + len(body)
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total)


def interface(*options):
    texts = [struct.pack("<HH", code, len(v)) + v + bytes(-len(v) % 4) for code, v in options]
    return block(INTERFACE, struct.pack("<HHI", 1, 0, 262144) + b"".join(texts) + bytes(4))


def packet(number, time):
    frame = bytes.fromhex("ffffffffffff02000000000188b5") + bytes(46)
    head = struct.pack("<IIIII", number, time >> 32, time & 0xffffffff, len(frame), len(frame))
    return block(PACKET, head + frame)


with open(path, "wb") as file:
    file.write(block(SECTION, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    file.write(interface())
    file.write(interface((TSRESOL, b"\x09")))
    file.write(interface((TSRESOL, b"\x8a")))
    file.write(interface((TSOFFSET, struct.pack("<q", SECONDS))))
    file.write(packet(0, SECONDS * 10**6 + 500_000))
    file.write(packet(1, SECONDS * 10**9 + 500_000_000))
    file.write(packet(2, SECONDS * 1024 + 512))
    file.write(packet(3, 500_000))


def lines(*command):
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return [float(line.split()[0]) for line in run.stdout.splitlines() if line[:1].isdigit()]


def by_dpkt():
    import dpkt
    with open(path, "rb") as file:
        return [float(time) for time, _ in dpkt.pcapng.Reader(file)]


def by_scapy():
    logging.getLogger("scapy").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")
    import scapy.layers.l2
    from scapy.utils import rdpcap
    return [float(packet.time) for packet in rdpcap(path)]


true = SECONDS + 0.5
found = {
    "tshark": lines("tshark", "-r", path, "-T", "fields", "-e", "frame.time_epoch"),
    "tcpdump": lines("tcpdump", "-tt", "--nano", "-nr", path),
    "dpkt": by_dpkt(),
    "scapy": by_scapy(),
}
wanted = {
    "tshark": [true] * 4,
    "tcpdump": [true] * 4,
    "dpkt": [true, SECONDS * 1000 + 500.0, (SECONDS * 1024 + 512) / 10**6, 0.5],
    "scapy": [true, true, true, 0.5],
}
for reader, times in found.items():
    print(f"{reader + ':':9}", *(f"{time:<16}" for time in times))
sys.exit(0 if found == wanted else 1)
PY
