import { Doorbell, SleepFlag } from "../../app/channel/sleep_flag.ts";
import { type Alarm, Idle } from "../../app/lcore/idle.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { Random } from "../kit/random.ts";
import { openShared } from "./agent.ts";
import { Burst } from "../../app/ring/burst.ts";

/** Where things lie in the memory of a run: words, but the rings' byte offsets. */
export const PLACE = {
  HERE: 0,
  STOP: 32,
  /** The sleeping flag of side 0; of side 1, 64 words further. */
  FLAGS: 64,
  /** How often side 0 was rung for; side 1, 64 words further. */
  RUNGS: 192,
  /** The ring that side 0 dequeues from; side 1's, 4096 bytes further. */
  RINGS_BYTES: 4096,
  BYTES: 3 * 4096,
} as const;

/** One side of a game of catch: it sleeps until a descriptor comes, and throws it back. */
export interface SleeperOrder {
  readonly side: 0 | 1;
  /** The shared memory, as a file of this process or another. */
  readonly path: string;
  /** Eventfds of side 0 and side 1, as this process numbers them. */
  readonly eventfds: readonly [number, number];
  /** Whether it looks once more before it sleeps, as it must. */
  readonly looksTwice: boolean;
  readonly seconds: number;
  /** Sleeps that were missed may be this many: then it is over. */
  readonly lostMax: number;
}

/** What it saw. */
export interface SleeperAnswer {
  readonly caught: number;
  /** How often it was about to sleep. */
  readonly raised: number;
  /** How often it did, and somebody rang. */
  readonly woken: number;
  /** How often a sleep ended by its time-out though there was work that nobody rang for. */
  readonly lost: number;
}

/** The longest sleep of `Idle` is 250 ms. */
const TIMED_OUT_NS = 245e6;

/** Descriptors that are thrown. */
const BALLS = 2, SLOTS = 8;

/**
 * Pauses before a ball is thrown, some microseconds; before a sleep, the time that waking takes.
 */
const PAUSES_MAX = 100, WAIT_PAUSES = 500;

/** Counts how sleeps end. */
class WatchedAlarm implements Alarm {
  readonly fds: readonly number[];
  readonly canNotify = true;
  raised = 0;
  woken = 0;
  lost = 0;
  #since = 0;
  #rungBefore = 0;
  #isAsleep = false;

  constructor(
    private readonly memory: MappedMemory,
    private readonly flag: SleepFlag,
    private readonly ring: SpscRing,
    private readonly rungWord: number,
    fd: number,
    private readonly looksTwice: boolean,
  ) {
    this.fds = [fd];
  }

  raise(): void {
    this.raised++;
    this.#rungBefore = this.memory.load(this.rungWord);
    this.#since = shim.shim_clock();
    this.flag.raise();
  }

  hasWork(): boolean {
    this.#isAsleep = !this.looksTwice || this.ring.pending === 0;
    return !this.#isAsleep;
  }

  lower(): void {
    this.flag.lower();
    if (!this.#isAsleep) return;
    const isNotified = this.memory.load(this.rungWord) !== this.#rungBefore;
    const isLate = shim.shim_clock() - this.#since > TIMED_OUT_NS;
    if (isNotified) this.woken++;
    else if (isLate && this.ring.pending > 0) this.lost++;
  }
}

/** Play one side until it is told to stop, or, side 0, until the time is over. */
export function play(
  { side, path, eventfds, looksTwice, seconds, lostMax }: SleeperOrder,
): SleeperAnswer {
  const memory = openShared(path, PLACE.BYTES);
  const other = 1 - side;
  const ringOf = (side: number) => {
    const offset = PLACE.RINGS_BYTES + 4096 * side;
    return new SpscRing(memory, offset, SLOTS);
  };
  const from = ringOf(side), to = ringOf(other);
  const flag = new SleepFlag(memory, PLACE.FLAGS + 64 * side, side);
  const alarm = new WatchedAlarm(
    memory,
    flag,
    from,
    PLACE.RUNGS + 64 * side,
    eventfds[side],
    looksTwice,
  );
  const wake = () => {
    shim.shim_fetch_add(memory.map, PLACE.RUNGS + 64 * other, 1);
    return shim.shim_eventfd_signal(eventfds[other]) === 0;
  };
  const otherFlag = PLACE.FLAGS + 64 * other;
  const bell = new Doorbell(memory, otherFlag, wake);
  const idle = new Idle("sleep", alarm);
  const random = new Random(side + 1);
  const burst = Burst.of(1);
  shim.shim_fetch_add(memory.map, PLACE.HERE, 1);
  while (memory.load(PLACE.HERE) < 2) shim.shim_yield();
  const end = shim.shim_clock() + seconds * 1e9;

  let caught = 0;
  const throwBall = () => {
    to.enqueueBulk(burst, 1);
    bell.notify();
  };
  for (let ball = 0; side === 0 && ball < BALLS; ball++) throwBall();
  while (memory.load(PLACE.STOP) === 0) {
    if (side === 0 && (shim.shim_clock() > end || alarm.lost >= lostMax)) {
      memory.store(PLACE.STOP, 1);
      wake();
    }
    if (from.dequeueBurst(burst, 1) === 0) {
      shim.shim_pause(random.below(WAIT_PAUSES)); // the ball may come just when we fall asleep
      idle.wait();
      continue;
    }
    caught++;
    idle.reset();
    pause(random);
    throwBall();
  }
  const { raised, woken, lost } = alarm;
  memory.close();
  return { caught, raised, woken, lost };
}

/** Mostly some microseconds; now and then longer. */
function pause(random: Random): void {
  if (random.below(500) === 0) shim.shim_poll(new Int32Array(0), 0, random.below(2000));
  else shim.shim_pause(random.below(PAUSES_MAX));
}
