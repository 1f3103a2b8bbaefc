import { Doorbell, SleepFlag } from "../../app/channel/sleep_flag.ts";
import { type Alarm, Idle } from "../../app/lcore/idle.ts";
import { SLEEP } from "../../app/memory/layout.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { Random } from "../kit/random.ts";
import { meetAt, serveOrder, type StartLine } from "../ffi/run_workers.ts";
import { Burst } from "../../app/ring/burst.ts";

/** What is left out, to show that it would be missed. */
export type Lack = "nothing" | "the sleeper's fence" | "the ringer's fence";

/** One side of the handshake before a sleep, without the sleep. */
export interface HandshakeOrder {
  readonly role: "sleeper" | "ringer";
  readonly lacks: Lack;
  readonly memory: MappedMemoryHandle;
  readonly start: StartLine;
  readonly seconds: number;
}

/** What it saw. */
export interface HandshakeAnswer {
  readonly rounds: number;
  /** Sleeper: it saw the work. */
  readonly saw: number;
  /** Ringer: it rang. */
  readonly rang: number;
  /** Sleeper: neither it saw the work, nor was it rung for. */
  readonly missed: number;
}

/** Words, but the ring's byte offset. ROUNDS: each side's, 64 words apart. */
const PLACE = { ROUNDS: 0, STOP: 128, RANG: 192, FLAG: 256, RING_BYTES: 4096 } as const;

const SLOTS = 8;

/** Both sides begin a round within so many pauses, at random. */
const SKEW_PAUSES = 12;

/** Wait for the other side to begin `round` too. */
function meet(memory: MappedMemory, side: number, round: number): void {
  memory.store(PLACE.ROUNDS + 64 * side, round);
  for (let tries = 1; memory.load(PLACE.ROUNDS + 64 * (1 - side)) < round; tries++) {
    if (tries % 2000 === 0) shim.shim_yield();
  }
}

/** An lcore's alarm that never lets it sleep: the flag stays up for the rest of the round. */
class WakefulAlarm implements Alarm {
  readonly fds = [];
  readonly canNotify = true;
  saw = false;

  constructor(private readonly flag: SleepFlag, private readonly ring: SpscRing) {}

  raise(): void {
    this.flag.raise();
  }

  lower(): void {}

  endRound(): void {
    this.flag.lower();
  }

  hasWork(): boolean {
    this.saw = this.ring.pending > 0;
    return true;
  }
}

function sleeper(memory: MappedMemory, { lacks, seconds }: HandshakeOrder): HandshakeAnswer {
  const ring = new SpscRing(memory, PLACE.RING_BYTES, SLOTS);
  const alarm = new WakefulAlarm(new SleepFlag(memory, PLACE.FLAG, 0), ring);
  const idle = new Idle("sleep", alarm);
  const burst = Burst.of(1);
  const random = new Random(1);
  const end = shim.shim_clock() + seconds * 1e9;
  let rounds = 0, saw = 0, missed = 0;
  const isOver = () => lacks !== "nothing" && missed > 0 || shim.shim_clock() > end;
  while (++rounds % 64 !== 0 || !isOver()) {
    meet(memory, 0, 2 * rounds);
    shim.shim_pause(random.below(SKEW_PAUSES));
    if (lacks === "the sleeper's fence") {
      alarm.raise();
      alarm.hasWork();
    } else idle.wait();
    meet(memory, 0, 2 * rounds + 1);
    if (alarm.saw) saw++;
    else if (memory.load(PLACE.RANG) !== rounds) missed++;
    ring.dequeueBulk(burst, 1);
    alarm.endRound();
  }
  memory.store(PLACE.STOP, 1);
  meet(memory, 0, 2 * rounds);
  return { rounds, saw, rang: 0, missed };
}

function ringer(memory: MappedMemory, { lacks }: HandshakeOrder): HandshakeAnswer {
  const ring = new SpscRing(memory, PLACE.RING_BYTES, SLOTS);
  const bell = new Doorbell(memory, PLACE.FLAG, () => true);
  const burst = Burst.of(1);
  const random = new Random(2);
  let rounds = 0, rang = 0, last = 0;
  const ringUnfenced = () => {
    const count = memory.load(PLACE.FLAG + SLEEP.COUNT);
    const rings = (count & 1) !== 0 && count !== last;
    last = count;
    return rings;
  };
  for (;;) {
    rounds++;
    meet(memory, 1, 2 * rounds);
    if (memory.load(PLACE.STOP) === 1) return { rounds, saw: 0, rang, missed: 0 };
    shim.shim_pause(random.below(SKEW_PAUSES));
    ring.enqueueBulk(burst, 1);
    if (lacks === "the ringer's fence" ? ringUnfenced() : bell.notify()) {
      memory.store(PLACE.RANG, rounds);
      rang++;
    }
    meet(memory, 1, 2 * rounds + 1);
  }
}

serveOrder((order: HandshakeOrder): HandshakeAnswer => {
  const memory = new MappedMemory(order.memory);
  // Pinned apart, or they may be put on one core, where they never meet.
  shim.shim_thread_pin((order.role === "sleeper" ? 0 : 1) % navigator.hardwareConcurrency);
  meetAt(order.start, 2);
  return order.role === "sleeper" ? sleeper(memory, order) : ringer(memory, order);
});
