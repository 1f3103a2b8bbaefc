import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { Random } from "../ffi/random.ts";
import { meetAt, serveOrder, type StartLine } from "../ffi/run_workers.ts";

/** What each of the two Workers is to do. */
export interface SpscOrder {
  readonly role: "producer" | "consumer";
  readonly memory: MappedMemoryHandle;
  readonly size: number;
  /** Most descriptors of a burst. */
  readonly burstMax: number;
  readonly milliseconds: number;
  /** Word 0 the start line, 1 whether the producer is done, 2 how many it sent. */
  readonly shared: StartLine;
}

/** What it saw. */
export interface SpscAnswer {
  readonly moved: number;
  readonly wrong: number;
  readonly violations: number;
}

/** The words of descriptor number `i`; never the same for neighbours, laps or rings. */
const word0 = (i: number) => i >>> 0;
const word1 = (i: number) => Math.imul(i, 0x9e3779b1) >>> 0;

serveOrder((order: SpscOrder): SpscAnswer => {
  const ring = new SpscRing(new MappedMemory(order.memory), 0, order.size);
  const random = new Random(order.role === "producer" ? 4711 : 815);
  meetAt(order.shared, 2);
  const end = shim.shim_clock() + order.milliseconds * 1e6;
  return order.role === "producer"
    ? produce(order, ring, random, end)
    : consume(order, ring, random, end);
});

function produce(
  { shared, burstMax }: SpscOrder,
  ring: SpscRing,
  random: Random,
  end: number,
): SpscAnswer {
  const burst = new Uint32Array(2 * burstMax);
  let moved = 0;
  while (shim.shim_clock() < end) {
    const count = 1 + random.below(burstMax);
    for (let i = 0; i < count; i++) {
      burst[2 * i] = word0(moved + i);
      burst[2 * i + 1] = word1(moved + i);
    }
    const n = random.below(2) ? ring.enqueueBurst(burst, count) : ring.enqueueBulk(burst, count);
    if (n === 0) rest(random);
    moved += n;
  }
  Atomics.store(shared, 2, moved);
  Atomics.store(shared, 1, 1);
  return { moved, wrong: 0, violations: ring.violations };
}

function consume(
  { shared, burstMax }: SpscOrder,
  ring: SpscRing,
  random: Random,
  end: number,
): SpscAnswer {
  const burst = new Uint32Array(2 * burstMax);
  let moved = 0, wrong = 0;
  const isDone = () => Atomics.load(shared, 1) === 1 && moved >= Atomics.load(shared, 2);
  while (!isDone() && shim.shim_clock() < end + 1e9) { // a second more, or frames are lost
    const max = 1 + random.below(burstMax);
    const n = random.below(2)
      ? ring.dequeueBurst(burst, max)
      : ring.dequeueBulk(burst, 1 + max % 4);
    if (n === 0) rest(random);
    for (let i = 0; i < n; i++) {
      if (burst[2 * i] !== word0(moved + i) || burst[2 * i + 1] !== word1(moved + i)) wrong++;
    }
    moved += n;
  }
  return { moved, wrong, violations: ring.violations };
}

/** Mostly stay on the core, so that the other side is watched while it is at work. */
function rest(random: Random): void {
  if (random.below(100) > 0) shim.shim_pause(1);
  else shim.shim_yield();
}
