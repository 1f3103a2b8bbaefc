#!/usr/bin/env bash
# tcpdump refuses a valid pcapng file whose interfaces differ in their snapshot length.
#
# Seen with: tcpdump 4.99.3 with libpcap 1.10.3, tshark 4.0.17 (Debian 12). What is not there is
# installed from Debian.
#
# One would expect: pcapng (draft-ietf-opsawg-pcapng, 4.2) gives each Interface Description Block
# a snapshot length of its own, so a capture of one port in full and of another one cut to 128
# bytes is one file for every reader.
#
# Seen: tshark reads both packets. tcpdump reads no further than the second Interface Description
# Block and ends with status 1, although the file's first packet stands behind it; a file with
# the same snapshot length twice is read by both. libpcap has one snapshot length for a whole
# file. A writer that wants to be read by all gives each interface the same.
#
#   same snapshot lengths: tshark reads 2 packets, tcpdump reads 2 packets (status 0)
#   unlike snapshot lengths: tshark reads 2 packets, tcpdump reads 0 packets (status 1)
#
# Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
missing=()
command -v tcpdump >/dev/null || missing+=(tcpdump)
command -v tshark >/dev/null || missing+=(tshark)
if [ ${#missing[@]} -gt 0 ]; then
  { apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
  } >/dev/null 2>&1
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
write() { # FILE SNAPLEN SNAPLEN
  python3 - "$@" <<'PY'
import struct, sys


def block(kind, body):
    total = 12 + len(body)
    return struct.pack("<II", kind, total) + body + struct.pack("<I", total)


def packet(interface):
    frame = b"\xff" * 6 + b"\x02\0\0\0\0\x01" + b"\x88\xb5" + b"\0" * 46
    head = struct.pack("<IIIII", interface, 0, 0, len(frame), len(frame))
    return block(6, head + frame)


name, *snaplens = sys.argv[1:]
with open(name, "wb") as file:
    file.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
    for snaplen in snaplens:
        file.write(block(1, struct.pack("<HHI", 1, 0, int(snaplen))))
    for interface in range(len(snaplens)):
        file.write(packet(interface))
PY
}
read_with_both() { # FILE
  local by_tshark by_tcpdump status=0
  by_tshark=$(tshark -r "$1" 2>/dev/null | wc -l)
  by_tcpdump=$(tcpdump -nr "$1" 2>/dev/null; echo "status $?")
  status=${by_tcpdump##*status }
  by_tcpdump=$(printf '%s\n' "$by_tcpdump" | grep -c '^[0-9][0-9]:' || true)
  echo "tshark reads $by_tshark packets, tcpdump reads $by_tcpdump packets (status $status)"
}
write "$folder/same.pcapng" 262144 262144
write "$folder/unlike.pcapng" 262144 128
same=$(read_with_both "$folder/same.pcapng")
unlike=$(read_with_both "$folder/unlike.pcapng")
echo "same snapshot lengths: $same"
echo "unlike snapshot lengths: $unlike"
[ "$same" = "tshark reads 2 packets, tcpdump reads 2 packets (status 0)" ] &&
  [ "$unlike" = "tshark reads 2 packets, tcpdump reads 0 packets (status 1)" ]
