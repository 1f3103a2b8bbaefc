import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { serveOrder } from "./run_workers.ts";

serveOrder((handle: MappedMemoryHandle) => {
  const memory = new MappedMemory(handle);
  const found = memory.u32[1];
  memory.store(1, found + 1);
  return { found, shared: memory.u32.buffer instanceof SharedArrayBuffer };
});
