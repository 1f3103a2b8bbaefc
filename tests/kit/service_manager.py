"""Runs a command as systemd would: tells what it notifies, keeps descriptors, starts it again.

usage: service_manager.py FOLDER SOCKET|- COMMAND...

SOCKET is listened at and passed as "socket". What comes by sd_notify(3) is printed, a JSON line
each: {"pid": the sender, "main": whether that is the command, "message", "fds": how many}. If a
signal ends the command, it is started again, with all that was stored; else this ends, too.
"""
import array
import json
import os
import signal
import socket
import struct
import sys

folder, path, *command = sys.argv[1:]
stored = []
if path != "-":
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(64)
    listener.setblocking(False)
    stored.append(("socket", listener.fileno()))

notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.bind(f"{folder}/notify")
notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
notify.settimeout(0.05)


def start():
    pid = os.fork()
    if pid:
        return pid
    for number, (_, fd) in enumerate(stored):
        os.dup2(fd, 40 + number)
    for number in range(len(stored)):
        os.dup2(40 + number, 3 + number)
        os.close(40 + number)
    os.environ.update(
        NOTIFY_SOCKET=f"{folder}/notify",
        WATCHDOG_USEC="300000",
        LISTEN_PID=str(os.getpid()),
        LISTEN_FDS=str(len(stored)),
        LISTEN_FDNAMES=":".join(name for name, _ in stored),
    )
    os.execvp(command[0], command)


def receive():
    size = struct.calcsize("3i")
    space = socket.CMSG_SPACE(size) + socket.CMSG_SPACE(4 * 16)
    text, controls, _, _ = notify.recvmsg(4096, space)
    sender, fds = 0, array.array("i")
    for _, kind, content in controls:
        if kind == socket.SCM_CREDENTIALS:
            sender = struct.unpack("3i", content)[0]
        if kind == socket.SCM_RIGHTS:
            fds.frombytes(content[: len(content) // 4 * 4])
    message = text.decode()
    told = {"pid": sender, "main": sender == child, "message": message, "fds": len(fds)}
    print(json.dumps(told), flush=True)
    fields = dict(line.split("=", 1) for line in message.split("\n"))
    if fields.get("FDSTORE") == "1":
        stored.append((fields["FDNAME"], fds[0]))


signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
child = start()
while True:
    try:
        receive()
    except TimeoutError:
        pass
    gone, status = os.waitpid(child, os.WNOHANG)
    if gone and os.WIFSIGNALED(status):
        child = start()
    elif gone:
        sys.exit(os.WEXITSTATUS(status))
