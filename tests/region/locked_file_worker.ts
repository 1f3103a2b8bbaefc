import { cString, shim } from "../../ffi/shim.ts";
import { openLocked } from "../../app/region/locked_file.ts";
import { isSameFile, ownerFor, statusOf } from "../../app/linux/owner.ts";
import { serveOrder } from "../ffi/run_workers.ts";

/** What each of several hosts does that begin and end all the time. */
export interface RaceOrder {
  readonly path: string;
  /** How many have it now. */
  readonly holders: Int32Array<SharedArrayBuffer>;
  readonly milliseconds: number;
}

/** What it has met. */
export interface RaceResult {
  held: number;
  refused: number;
  readonly wrong: string[];
}

serveOrder(({ path, holders, milliseconds }: RaceOrder): RaceResult => {
  const result: RaceResult = { held: 0, refused: 0, wrong: [] };
  const end = performance.now() + milliseconds;
  while (performance.now() < end) {
    try {
      const { fd, status } = openLocked(path, path, ownerFor({}));
      if (Atomics.add(holders, 0, 1) !== 0) result.wrong.push("two have it");
      shim.shim_pause(2000); // others try meanwhile
      if (!isSameFile(status, statusOf(path))) result.wrong.push("another file is at the path");
      Atomics.sub(holders, 0, 1);
      if (shim.shim_path_remove(cString(path)) < 0) result.wrong.push("it is gone");
      shim.shim_fd_close(fd);
      result.held++;
    } catch (error) {
      const { message } = error as Error;
      if (!/another host has it/.test(message)) result.wrong.push(message);
      result.refused++;
    }
    if (result.wrong.length > 5) break;
  }
  return result;
});
