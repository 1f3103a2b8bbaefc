/**
 * One end of the ring benchmark, or both, in a Worker.
 *
 * @module
 */
import { MappedMemory } from "../ffi/mapped_memory.ts";
import { carryOut } from "./ring_loops.ts";
import type { RingOrder } from "./ring_order.ts";

const scope = self as unknown as {
  onmessage: (event: MessageEvent<RingOrder>) => void;
  postMessage(nanoseconds: number): void;
};

scope.onmessage = ({ data }) => scope.postMessage(carryOut(new MappedMemory(data.memory!), data));
