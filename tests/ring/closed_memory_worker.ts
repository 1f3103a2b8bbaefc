import { MpmcRing } from "../../app/ring/mpmc_ring.ts";
import type { Sharing } from "../../app/ring/sharing.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { serveOrder } from "../ffi/run_workers.ts";
import { Burst } from "../../app/ring/burst.ts";

/** Use a ring whose ends are of mode `sharing` after its memory was closed. */
export interface ClosedOrder {
  readonly sharing: Sharing;
}

/** What each call returned. */
export interface ClosedAnswer {
  readonly enqueued: number;
  readonly dequeued: number;
  readonly reserved: number;
  readonly peeked: number;
}

serveOrder(({ sharing }: ClosedOrder): ClosedAnswer => {
  const memory = MappedMemory.ofProcess(4096);
  const shape = { producers: sharing, consumers: sharing };
  const [idle, busy] = [new MpmcRing(memory, 0, 8, shape), new MpmcRing(memory, 0, 8, shape)];
  const elements = Burst.of(8, 4);
  idle.enqueueBulk(elements, 5);
  idle.dequeueBulk(elements, 2);
  busy.reserveBulk(1);
  busy.peekBulk(1);
  memory.close();
  busy.commit(1);
  busy.finish(1);
  return {
    enqueued: idle.enqueueBurst(elements, 8),
    dequeued: idle.dequeueBurst(elements, 8),
    reserved: busy.reserveBulk(1),
    peeked: busy.peekBulk(1),
  };
});
