"""A wire's end for tests: sends frames on an interface, tells which ones arrive there.

Python's standard library has AF_PACKET; being none of our code, it does not share our mistakes.

usage: wire.py INTERFACE
stdin:  "N HEX" sends a frame N times
stdout: "READY"; "R HEX" a frame that arrived, its VLAN tag put back; "S N" N frames sent;
        "E MESSAGE" the kernel refused one
"""

import os
import select
import socket
import struct
import sys

ETH_P_ALL = 3
SOL_PACKET, PACKET_ADD_MEMBERSHIP, PACKET_AUXDATA = 263, 1, 8
PACKET_MR_PROMISC, PACKET_OUTGOING = 1, 4
SO_RCVBUFFORCE = 33
TP_STATUS_VLAN_VALID, TP_STATUS_VLAN_TPID_VALID = 0x10, 0x40

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 32 << 20)
wire.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
wire.bind((sys.argv[1], ETH_P_ALL))
membership = struct.pack("iHH8s", socket.if_nametoindex(sys.argv[1]), PACKET_MR_PROMISC, 0, b"")
wire.setsockopt(SOL_PACKET, PACKET_ADD_MEMBERSHIP, membership)


def say(line):
    sys.stdout.write(line + "\n")


def receive():
    """All frames that wait, or as many as is fair to whoever wants to send."""
    for _ in range(256):
        try:
            frame, ancillary, _, address = wire.recvmsg(1 << 18, 64, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError as error:  # the interface went down: once, then it goes on
            say(f"E {error}")
            return
        if address[2] == PACKET_OUTGOING:
            continue
        for level, kind, auxdata in ancillary:
            if level != SOL_PACKET or kind != PACKET_AUXDATA:
                continue
            status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", auxdata[:20])
            if status & TP_STATUS_VLAN_VALID:
                tpid = tpid if status & TP_STATUS_VLAN_TPID_VALID else 0x8100
                frame = frame[:12] + struct.pack("!HH", tpid, tci) + frame[12:]
        say("R " + frame.hex())


def send(line):
    count, digits = line.split()
    frame = bytes.fromhex(digits)
    sent = 0
    for _ in range(int(count)):
        try:
            sent += 1 if wire.send(frame) else 0
        except OSError as error:
            say(f"E {error}")
    say(f"S {sent}")


say("READY")
sys.stdout.flush()
pending = b""
while True:
    readable, _, _ = select.select([wire, 0], [], [])
    if wire in readable:
        receive()
    if 0 in readable:
        chunk = os.read(0, 1 << 16)
        if not chunk:
            break
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            send(line.decode())
    sys.stdout.flush()
