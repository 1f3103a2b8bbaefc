/**
 * `far_end.ts NEAR ADDRESS`: keeps the network namespace alive that it was started in. It makes a
 * veth: the interface `far` here, the interface `NEAR` in its parent's namespace. It ends with its
 * stdin, at the latest when its parent ends; namespace and veth end with it.
 *
 * @module
 */
import { runProgram } from "../cli/run_program.ts";
import { addAddress, addVeth, setUp } from "../linux/netlink.ts";

const NAME = "far";

async function farEnd(near: string, address: string): Promise<number> {
  Deno.addSignalListener("SIGINT", () => {}); // a Ctrl-C reaches it too: its parent ends it
  addVeth(NAME, near, Deno.ppid);
  addAddress(NAME, address, 24);
  setUp("lo");
  setUp(NAME);
  console.log("up");
  for await (const _ of Deno.stdin.readable) continue;
  return 0;
}

if (import.meta.main) await runProgram("far_end", () => farEnd(Deno.args[0], Deno.args[1]));
