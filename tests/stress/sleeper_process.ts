/**
 * A side in a process of its own. Its order is its argument, without the eventfds, which come by
 * the UNIX socket that is its second argument. It prints its answer.
 */
import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { play, type SleeperOrder } from "./sleeper.ts";

const order: SleeperOrder = JSON.parse(Deno.args[0]);
const socket = check(shim.shim_unix_connect(cString(Deno.args[1]), 10_000), "connect");
const eventfds = [0, 1].map(() => {
  const value = new BigInt64Array(1), passed = new Int32Array(1);
  check(
    shim.shim_unix_receive(socket, new Uint8Array(value.buffer), new Uint8Array(passed.buffer), 1),
    "receive an eventfd",
  );
  return passed[0];
});
console.log(JSON.stringify(play({ ...order, eventfds: [eventfds[0], eventfds[1]] })));
