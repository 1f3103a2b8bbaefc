import { deepEqual, equal, ok } from "node:assert/strict";
import { cString, shim } from "../../ffi/shim.ts";

const ENAMETOOLONG = 36, ENODEV = 19;
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
  equal(shim.shim_tap_open(name), -ENAMETOOLONG);
  equal(shim.shim_packet_open(name, 0), -ENAMETOOLONG);
});
