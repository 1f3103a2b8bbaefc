/**
 * A program that has a keeper and no privileges: what can it still do? Names are its arguments: an interface
 * that the keeper knows, one that it does not, a file that it knows, one that it does not. In the folder of
 * those there is a file that is called as the first interface.
 *
 * @module
 */
import { dirname } from "node:path";
import { cString, shim } from "../../ffi/shim.ts";
import { dropPrivileges, endDuties } from "../../app/linux/privileges.ts";

const [tap, otherTap, file, otherFile] = Deno.args;
Deno.chdir(dirname(file)); // the keeper's, too
dropPrivileges({ user: "nobody" }, { interfaces: [tap], files: [file] });
const UP = 1;
console.log(JSON.stringify({
  tap: shim.shim_tap_open(cString(tap)) >= 0,
  mtu: shim.shim_interface_mtu(cString(tap), 1400),
  up: shim.shim_interface_flags(cString(tap), UP, 0),
  packet: shim.shim_packet_open(cString(tap), 4096) >= 0,
  unknown: [
    shim.shim_tap_open(cString(otherTap)),
    shim.shim_interface_flags(cString("lo"), 0, UP),
    shim.shim_packet_open(cString("lo"), 0),
  ],
  removed: shim.shim_path_remove(cString(file)),
  kept: shim.shim_path_remove(cString(otherFile)),
  namesake: shim.shim_path_remove(cString(tap)),
  long: shim.shim_path_remove(cString(`/${"x/".repeat(2000)}`)) < 0,
}));
endDuties();
console.log(JSON.stringify({ afterwards: shim.shim_interface_mtu(cString(tap), 1300) }));
