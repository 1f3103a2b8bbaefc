import { cString, shim } from "../../ffi/shim.ts";
import { serveOrder } from "./run_workers.ts";

/** Pin this thread, ask for slices of 0.2 ms and nice level 3; tell what the kernel says. */
serveOrder((core: number) => {
  const pinned = shim.shim_thread_pin(core);
  const before = niceLevel();
  const shared = shim.shim_thread_share(200_000, 3);
  const allowed = /^Cpus_allowed_list:\s+(.*)$/m.exec(read("status"))?.[1];
  const slice = /^se\.slice\s+:\s+(\d+)$/m.exec(read("sched"))?.[1];
  return { pinned, shared, allowed, slice, levels: [before, niceLevel()] };
});

/** proc(5): the 19th field of stat, of which the second is a name in parentheses. */
function niceLevel(): number {
  return Number(read("stat").split(") ")[1].split(" ")[16]);
}

/** What the kernel says of this thread; nothing in a file that it has not. */
function read(name: string): string {
  const file = shim.shim_file_open(cString(`/proc/thread-self/${name}`), 0);
  if (file < 0) return "";
  const text = new Uint8Array(4096);
  const length = shim.shim_file_read(file, text, text.length);
  shim.shim_fd_close(file);
  return new TextDecoder().decode(text.subarray(0, length));
}
