/**
 * A program that has a keeper and no privileges: what can it still do? Its arguments are an
 * interface that the keeper knows, one that it does not, a file that it knows, one that it does
 * not, and a program that it knows as the server of a socket called `known`. The files' folder has
 * one that is called as the first interface.
 *
 * @module
 */
import { dirname } from "node:path";
import { cString, shim } from "../../ffi/shim.ts";
import { endDuties, entrust } from "../../app/linux/keeper.ts";
import { ServerStart } from "../../app/region/server_start.ts";
import { dropPrivileges } from "../../app/linux/privileges.ts";

const [tap, otherTap, file, otherFile, program] = Deno.args;
Deno.chdir(dirname(file)); // the keeper's, too
entrust({ servers: new Map([["known", ["/tmp", program, "asked", "for"]]]) });
dropPrivileges({ user: "nobody" }, { interfaces: [tap], files: [file] });
const UP = 1;

/** What comes of asking for a server that serves our stdin; its last words. */
async function served(socket: string): Promise<number | string> {
  const ends = new Int32Array(2);
  const result = shim.shim_keeper_serve(cString(socket), 0, 7, 2, ends);
  if (result < 0) return result;
  const start = new ServerStart({ report: ends[0], said: ends[1] });
  await start.ready().catch(() => {});
  return start.said;
}

console.log(JSON.stringify({
  tap: shim.shim_tap_open(cString(tap), 0) >= 0,
  mtu: shim.shim_interface_mtu(cString(tap), 1400),
  up: shim.shim_interface_flags(cString(tap), UP, 0),
  packet: shim.shim_packet_open(cString(tap), 4096) >= 0,
  unknown: [
    shim.shim_tap_open(cString(otherTap), 0),
    shim.shim_interface_flags(cString("lo"), 0, UP),
    shim.shim_packet_open(cString("lo"), 0),
  ],
  removed: shim.shim_path_remove(cString(file)),
  kept: shim.shim_path_remove(cString(otherFile)),
  namesake: shim.shim_path_remove(cString(tap)),
  served: [await served("known"), await served("unknown"), await served(tap), await served(file)],
  another: shim.shim_keeper_start(cString("\0\0\0"), 4),
  long: shim.shim_path_remove(cString(`/${"x/".repeat(2000)}`)) < 0,
}));
endDuties();
const afterwards = shim.shim_interface_mtu(cString(tap), 1300);
console.log(JSON.stringify({
  afterwards,
  another: shim.shim_keeper_start(cString("\0\0\0"), 4),
}));
