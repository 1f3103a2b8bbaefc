"""A VLAN on a whole interface, for kernels without 8021q: tags what leaves, untags what comes.

Two BPF programs on the interface's tc hooks, which are gone when this process is. They do what a VLAN
interface on top would: the tag goes beside the frame (skb->vlan_tci), super-frames stay whole.

usage: vlan_tagger.py INTERFACE VLAN
stdout: "READY"
"""

import ctypes
import os
import socket
import struct
import sys
import time

SYS_BPF, BPF_PROG_LOAD, BPF_LINK_CREATE = 321, 5, 28
BPF_PROG_TYPE_SCHED_CLS, BPF_TCX_INGRESS, BPF_TCX_EGRESS = 3, 46, 47
VLAN_PUSH, VLAN_POP = 18, 19  # bpf_skb_vlan_push(), bpf_skb_vlan_pop()
TCX_NEXT = -1
MOV, CALL, EXIT = 0xB7, 0x85, 0x95  # dst = immediate; call; return r0

libc = ctypes.CDLL(None, use_errno=True)


def bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, 128)
    fd = libc.syscall(SYS_BPF, command, buffer, 128)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


def attach(index, hook, *instructions):
    code = b"".join(struct.pack("<BBhi", op, register, 0, value) for op, register, value in instructions)
    code, license = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    addresses = ctypes.addressof(code), ctypes.addressof(license)
    program = bpf(BPF_PROG_LOAD, struct.pack("<IIQQ", BPF_PROG_TYPE_SCHED_CLS, len(code) // 8, *addresses))
    return bpf(BPF_LINK_CREATE, struct.pack("<IIII", program, index, hook, 0))


index = socket.if_nametoindex(sys.argv[1])
tpid = socket.htons(0x8100)
attach(
    index, BPF_TCX_EGRESS,
    (MOV, 2, tpid), (MOV, 3, int(sys.argv[2])), (CALL, 0, VLAN_PUSH), (MOV, 0, TCX_NEXT), (EXIT, 0, 0),
)
attach(index, BPF_TCX_INGRESS, (CALL, 0, VLAN_POP), (MOV, 0, TCX_NEXT), (EXIT, 0, 0))
print("READY", flush=True)
while True:
    time.sleep(3600)
