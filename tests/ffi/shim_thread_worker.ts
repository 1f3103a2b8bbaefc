import { cString, shim } from "../../ffi/shim.ts";
import { serveOrder } from "./run_workers.ts";

/** Pin this thread, and tell what the kernel says of it. */
serveOrder((core: number) => {
  const pinned = shim.shim_thread_pin(core);
  const status = shim.shim_file_open(cString("/proc/thread-self/status"), 0);
  const text = new Uint8Array(4096);
  const length = shim.shim_file_read(status, text, text.length);
  shim.shim_fd_close(status);
  const lines = new TextDecoder().decode(text.subarray(0, length));
  return { pinned, allowed: /^Cpus_allowed_list:\s+(.*)$/m.exec(lines)?.[1] };
});
