import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { COMMAND, type CommandWord } from "../lcore/command.ts";
import { Mbufs } from "../mempool/mbuf.ts";
import { NO_MBUFS } from "../mempool/mbuf_source.ts";
import { Mempool } from "../mempool/mempool.ts";
import { type Counters, droppedBy, newCounters } from "../port/counters.ts";
import { frameMaxOf } from "../port/kernel_port.ts";
import { makePort, type PortSetup } from "../port/open_port.ts";
import type { HostPort } from "../port/port.ts";
import { Burst } from "../ring/burst.ts";
import type { Latency, Sizes, TrialOptions, TrialResult } from "./gen_options.ts";
import {
  MBUFS,
  type Numbered,
  NumberedFrames,
  readNumbered,
  SEND_BURST,
} from "./numbered_frames.ts";
import { Sequence } from "./sequence.ts";

/** Mbufs to receive into. */
const RX_MBUFS = 1024;

const RX_BURST = 64;

/** How long the generator waits for frames that are under way, by default (RFC 2544, 23). */
const SETTLE_SECONDS = 2;

/** How much longer it may take to send all frames of a trial, where the machine has other work. */
const LATE_NS = 1e9;

/** Nanoseconds between two looks at interfaces that were down. */
const REFRESH_NS = 100e6;

/** The longest time that a histogram has, in nanoseconds. */
const LATENCY_MAX = 10e9;

/** Counts values: what is used of a histogram of hdr-histogram-js. */
export interface Histogram {
  /** Count one. */
  recordValue(value: number): void;
  /** The value that `percentile` of a hundred values do not exceed. */
  getValueAtPercentile(percentile: number): number;
  /** The lowest one. */
  readonly minNonZeroValue: number;
  /** The highest one. */
  readonly maxValue: number;
}

/** What a generator works with; survives `postMessage`. */
export interface GeneratorSetup {
  /** The open port that frames are sent by. */
  readonly tx: PortSetup;
  /** The open port that they come back by; undefined if it is the same. */
  readonly rx?: PortSetup;
  /** The destination and the source MAC address of frames. */
  readonly addresses: { readonly to: Uint8Array; readonly from: Uint8Array };
  /** The sizes of frames. */
  readonly sizes: Sizes;
  /** MTU of the interfaces, in bytes. */
  readonly mtu: number;
}

/** Sends numbered frames by one port, and counts what comes back by another. */
export class Generator {
  readonly #tx: HostPort;
  readonly #rx: HostPort;
  readonly #isOne: boolean;
  readonly #mbufs: Mbufs;
  readonly #mempool: Mempool;
  readonly #frames: NumberedFrames;
  readonly #counters: Counters = newCounters(1)[0];
  readonly #burst: Burst = Burst.of(RX_BURST);
  readonly #found: Numbered = { number: 0, time: 0 };

  /** Takes over the ports that the setup has open. */
  constructor({ tx, rx, addresses, sizes, mtu }: GeneratorSetup) {
    const frameMax = frameMaxOf(mtu);
    const stride = Math.max(2368, Math.ceil((frameMax + 256) / 64) * 64);
    const memory = MappedMemory.ofProcess((RX_MBUFS + MBUFS) * stride);
    const mbufs = new Mbufs(memory, { offset: 0, stride, count: RX_MBUFS + MBUFS });
    this.#mbufs = mbufs;
    this.#mempool = Mempool.create(RX_MBUFS);
    const [counters] = newCounters(1);
    this.#tx = makePort(tx, { mbufs, mempool: NO_MBUFS, counters: this.#counters, frameMax });
    this.#rx = makePort(rx ?? tx, { mbufs, mempool: this.#mempool, counters, frameMax });
    this.#isOne = rx === undefined;
    this.#frames = new NumberedFrames(mbufs, RX_MBUFS, sizes, addresses);
  }

  /**
   * Send frames for some time, and wait until they are back, or lost.
   *
   * @param histogram Gets the times that frames took.
   */
  trial(
    { id, rate, seconds, settleSeconds = SETTLE_SECONDS }: TrialOptions,
    command: CommandWord,
    histogram?: Histogram,
  ): TrialResult {
    const sequence = new Sequence();
    const refusedBefore = droppedBy(this.#counters);
    const start = shim.shim_clock();
    const wanted = rate === Infinity ? Infinity : Math.max(1, Math.round(rate * seconds));
    const end = start + seconds * 1e9 + (rate === Infinity ? 0 : LATE_NS);
    let [sent, bytes, others, sentAt, refreshedAt] = [0, 0, 0, 0, start];
    for (;;) {
      const now = shim.shim_clock();
      const isOver = sent >= wanted || now >= end || command.value !== COMMAND.RUN;
      if (sentAt === 0 && isOver) sentAt = now;
      if (sentAt === 0) {
        const due = rate === Infinity
          ? SEND_BURST
          : Math.floor((now - start) * rate / 1e9) + 1 - sent;
        const count = Math.min(due, SEND_BURST, wanted - sent);
        if (count > 0) {
          this.#frames.number(count, id, sent, shim.shim_clock());
          const n = this.#tx.txBurst(this.#frames.burst, count, this.#frames.at);
          bytes += this.#frames.sent(n);
          sent += n;
        }
      } else if (sequence.received >= sent || now - sentAt > settleSeconds * 1e9) break;
      others += this.#receive(id, sequence, histogram);
      if (now - refreshedAt < REFRESH_NS) continue;
      refreshedAt = now;
      this.#tx.refresh();
      this.#rx.refresh();
    }
    const { received, reordered, duplicated } = sequence;
    return {
      ...{ sent, bytes, seconds: (sentAt - start) / 1e9, received, reordered, duplicated, others },
      refused: droppedBy(this.#counters) - refusedBefore,
      ...histogram && received > 0 ? { latency: latencyOf(histogram) } : {},
    };
  }

  /** Close the ports. */
  close(): void {
    this.#rx.close();
    if (!this.#isOne) this.#tx.close();
  }

  /** Receive a burst; returns how many of its frames are not of the trial. */
  #receive(id: number, sequence: Sequence, histogram?: Histogram): number {
    const [burst, found] = [this.#burst, this.#found];
    const n = this.#rx.rxBurst(burst, RX_BURST);
    if (n === 0) return 0;
    const now = shim.shim_clock();
    let others = 0;
    for (let i = 0; i < n; i++) {
      const [word0, word1] = [burst.words[2 * i], burst.words[2 * i + 1]];
      if (!readNumbered(this.#mbufs, word0, word1, id, found)) {
        others++;
        continue;
      }
      sequence.add(found.number);
      const took = now - found.time;
      histogram?.recordValue(took < 1 ? 1 : took < LATENCY_MAX ? took : LATENCY_MAX);
    }
    this.#mempool.free(burst, n);
    return others;
  }
}

function latencyOf(histogram: Histogram): Latency {
  const { minNonZeroValue: min, maxValue: max } = histogram;
  // A percentile is the upper end of its bucket: for the highest one that is beyond the maximum.
  const [p50, p99, p999] = [50, 99, 99.9].map((percentile) =>
    Math.min(histogram.getValueAtPercentile(percentile), max)
  );
  return { min, p50, p99, p999, max };
}
