import { deepEqual, equal, ok } from "node:assert/strict";
import { cString, shim } from "../../ffi/shim.ts";

const EBADF = 9, ENODEV = 19, ENAMETOOLONG = 36, EAFNOSUPPORT = 97;
const IFF_LOOPBACK = 8, ARPHRD_LOOPBACK = 772;

Deno.test("shim_interface_get() describes the loopback interface", () => {
  const words = new Uint32Array(6).fill(0xffffffff);
  equal(shim.shim_interface_get(cString("lo"), words), 0);
  ok(words[0] > 0, "index");
  equal(words[1] & IFF_LOOPBACK, IFF_LOOPBACK);
  ok(words[2] >= 1280, "MTU");
  equal(words[3], ARPHRD_LOOPBACK);
  deepEqual([...words.subarray(4)], [0, 0], "MAC address");
});

Deno.test("shim_interface_* give ENODEV for an interface that is not there", () => {
  const none = cString("culvert-none");
  equal(shim.shim_interface_get(none, new Uint32Array(6)), -ENODEV);
  equal(shim.shim_interface_flags(none, 0, 0), -ENODEV);
  equal(shim.shim_packet_open(none, 0), -ENODEV);
});

Deno.test("shim_interface_* and shim_tap_open() refuse a name of more than 15 bytes", () => {
  const name = cString("x".repeat(16));
  equal(shim.shim_interface_get(name, new Uint32Array(6)), -ENAMETOOLONG);
  equal(shim.shim_interface_flags(name, 0, 0), -ENAMETOOLONG);
  equal(shim.shim_interface_mtu(name, 1500), -ENAMETOOLONG);
  equal(shim.shim_tap_open(name, 0), -ENAMETOOLONG);
  equal(shim.shim_packet_open(name, 0), -ENAMETOOLONG);
});

Deno.test("shim_socket_send() asks the kernel by netlink, and shim_file_read() has the answer", () => {
  const AF_NETLINK = 16, SOCK_RAW = 3, NETLINK_ROUTE = 0, RTM_NEWLINK = 16, RTM_GETLINK = 18;
  const NLM_F_REQUEST = 1, LOOPBACK = 1;
  const socket = shim.shim_socket_open(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  ok(socket >= 0);
  const request = Uint32Array.of(32, NLM_F_REQUEST << 16 | RTM_GETLINK, 0, 0, 0, LOOPBACK, 0, 0);
  const message = new Uint8Array(request.buffer);
  equal(shim.shim_socket_send(socket, message, 32, new Uint8Array(0), 0), 32);
  const answer = new Uint32Array(2048);
  ok(shim.shim_file_read(socket, new Uint8Array(answer.buffer), answer.byteLength) >= 32);
  equal(answer[1] & 0xffff, RTM_NEWLINK);
  equal(answer[5], LOOPBACK);
  equal(shim.shim_fd_close(socket), 0);
});

Deno.test("shim_socket_open() gives EAFNOSUPPORT for a family that no kernel has", () => {
  equal(shim.shim_socket_open(255, 1, 0), -EAFNOSUPPORT);
});

Deno.test("shim_socket_send() gives EBADF for what is no descriptor", () => {
  equal(shim.shim_socket_send(-1, new Uint8Array(1), 1, new Uint8Array(0), 0), -EBADF);
});
