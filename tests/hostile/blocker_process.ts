/**
 * A process that tries to make others wait for ever: `blocker_process.ts REGION full|empty`. It
 * clears O_NONBLOCK of all eventfds that it was handed, the host's and the guests', so that reads
 * wait. With `full` it also fills them once, so that writes wait.
 *
 * @module
 */
import { openRegion } from "../../app/region/region_source.ts";
import { shim } from "../../ffi/shim.ts";
import { fill, setWaits } from "../ffi/shared_eventfd.ts";

const [name, mode] = Deno.args;
const { peer } = openRegion(name)!;
const known = new Set<number>();
for (let isFirst = true; peer!.isConnected; isFirst = false) {
  peer!.poll();
  for (const fd of [...peer!.others.values()].flat()) {
    if (mode === "full" && !known.has(fd)) fill(fd); // to empty one again would let writers go on
    known.add(fd);
    setWaits(fd, true);
  }
  if (isFirst) console.error("ready");
  shim.shim_poll(new Int32Array(0), 0, 1000);
}
