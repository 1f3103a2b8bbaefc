"""Numbered UDP datagrams of many flows, which differ in their source ports.

usage: udp_flows.py send ADDRESS FLOWS COUNT RATE FIRST    COUNT of each flow, RATE a second in all,
                                                           numbers from FIRST on
       udp_flows.py receive ADDRESS    each line on stdin asks for a report in JSON

A report has `received`; `late`, those that came after one of their flow that was sent later, or
twice; `missing`, those that did not come though a later one did; `flows`.
"""
import json
import select
import socket
import struct
import sys
import time

PORT = 7700


def send(address, flows, count, rate, first):
    sockets = []
    for flow in range(flows):
        each = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        each.bind(("", 20000 + flow))
        each.connect((address, PORT))
        sockets.append(each)
    start, sent = time.monotonic(), 0
    for number in range(first, first + count):
        for each in sockets:
            try:
                each.send(struct.pack("I", number))
            except OSError:
                pass  # the interface is down: the datagram is missing
            sent += 1
        time.sleep(max(0, start + sent / rate - time.monotonic()))


def receive(address):
    force = 33  # SO_RCVBUFFORCE
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, force, 1 << 26)
    sock.bind((address, PORT))
    sock.setblocking(False)
    following, received, late = {}, 0, 0
    print("READY", flush=True)
    while True:
        ready = select.select([sock, sys.stdin], [], [])[0]
        while sock in ready:
            try:
                data, (_, flow) = sock.recvfrom(64)
            except BlockingIOError:
                break
            number = struct.unpack("I", data)[0]
            received += 1
            if number < following.get(flow, 0):
                late += 1
            else:
                following[flow] = number + 1
        if sys.stdin in ready:
            if not sys.stdin.readline():
                return
            missing = sum(following.values()) - received + late
            report = {"received": received, "late": late, "missing": missing}
            print("R " + json.dumps({**report, "flows": len(following)}), flush=True)


if sys.argv[1] == "send":
    send(sys.argv[2], *map(int, sys.argv[3:7]))
else:
    receive(sys.argv[2])
