/**
 * A program at the other ends of the ports of a region under attack: looks at every frame that leaves
 * there, and sends in what attackers feed on.
 *
 * usage: leak_watch_process.ts '{"links": ["a", "b"], "frameMax": 1522, "run": 1, "rate": 2000}'
 *
 * Says READY, and answers each line with a {@linkcode LeakReport} for each link.
 *
 * @module
 */
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { COUNTER, newCounters } from "../../app/port/counters.ts";
import { openPacket, PacketPort } from "../../app/port/packet_port.ts";
import { plain } from "./canary.ts";
import { LeakJudge, type Leaks } from "./leak_judge.ts";
import { Burst } from "../../app/ring/burst.ts";

/** What the program is given on its command line. */
export interface LeakWatchSetup {
  /** Interfaces in this network namespace. */
  readonly links: readonly string[];
  /** The longest frame that the host may send. */
  readonly frameMax: number;
  /** Of the frames that are the other region's. */
  readonly run: number;
  /** Frames a second that attackers are fed with, on each link. */
  readonly rate: number;
}

/** What was found on one link until now. */
export interface LeakReport extends Leaks {
  readonly link: string;
  readonly firstLeak: string;
  /** Frames that the kernel could not keep until we looked at them. */
  readonly missed: number;
}

const BURST = 32, MBUFS = 256;

/** Room for whatever a kernel hands out as a frame: the host's limit is not to be ours. */
const STRIDE_BYTES = 1 << 16;

/** Milliseconds between two turns, and bursts that are looked at in one at most. */
const TURN_MS = 1, TURN_BURSTS = 64;

/** Bytes of the frames that attackers are fed with. */
const FEED = { MIN_BYTES: 60, MAX_BYTES: 1514 } as const;

class LeakWatch {
  readonly #judge: LeakJudge;
  readonly #mbufs: Mbufs;
  readonly #mempool = Mempool.create(MBUFS);
  readonly #counters = newCounters(1)[0];
  readonly #port: PacketPort;
  readonly #burst = Burst.of(BURST);
  #fed = 0;

  constructor(private readonly link: string, { frameMax, run }: LeakWatchSetup) {
    this.#judge = new LeakJudge(frameMax, run);
    const memory = MappedMemory.ofProcess(MBUFS * STRIDE_BYTES);
    this.#mbufs = new Mbufs(memory, { offset: 0, stride: STRIDE_BYTES, count: MBUFS });
    this.#port = new PacketPort(openPacket(link), {
      mbufs: this.#mbufs,
      mempool: this.#mempool,
      counters: this.#counters,
      frameMax: STRIDE_BYTES - HEADROOM_BYTES,
    });
  }

  /** Send frames of all lengths, plain ones. */
  feed(count: number): void {
    const burst = this.#burst;
    const n = this.#mempool.allocBurst(burst, Math.min(count, BURST));
    for (let i = 0; i < n; i++) this.#write(i);
    const sent = this.#port.txBurst(burst, n);
    this.#mempool.free(burst, n - sent, sent);
  }

  #write(i: number): void {
    const { u32 } = this.#mbufs;
    const number = this.#fed++;
    const bytes = FEED.MIN_BYTES + number * 7 % (FEED.MAX_BYTES - FEED.MIN_BYTES + 1);
    const word1 = this.#burst.words[(i << 1) + 1] = dataWord(HEADROOM_BYTES, bytes);
    const at = this.#mbufs.frameByte(this.#burst.words[i << 1], word1) >>> 2;
    u32.fill(plain(Math.imul(number, 0x9e3779b9)), at, at + (bytes + 3 >>> 2));
    u32[at] = 0x02; // to a unicast address, locally administered
  }

  /** Take and look at what is there. */
  look(): void {
    for (let turn = 0, n = BURST; turn < TURN_BURSTS && n === BURST; turn++) {
      n = this.#port.rxBurst(this.#burst, BURST);
      for (let i = 0; i < n; i++) {
        const [word0, word1] = [this.#burst.words[i << 1], this.#burst.words[(i << 1) + 1]];
        this.#judge.look(this.#mbufs, this.#mbufs.frameByte(word0, word1), word1 >>> 16);
      }
      this.#mempool.free(this.#burst, n);
    }
  }

  report(): LeakReport {
    this.#port.refresh();
    const { leaks, firstLeak } = this.#judge;
    const counters = this.#counters;
    const tooLong = leaks.tooLong + counters[COUNTER.OVERSIZE]; // than even we have room for
    return { ...leaks, tooLong, firstLeak, link: this.link, missed: counters[COUNTER.MISSED] };
  }
}

/** Feed and look for ever. */
async function watch(watches: readonly LeakWatch[], rate: number): Promise<never> {
  for (let last = performance.now(), due = 0;;) {
    const now = performance.now();
    due = Math.min(due + rate * (now - last) / 1000, BURST);
    last = now;
    for (const one of watches) {
      one.look();
      one.feed(Math.floor(due));
    }
    due -= Math.floor(due);
    await new Promise((resolve) => setTimeout(resolve, TURN_MS));
  }
}

if (import.meta.main) {
  const setup: LeakWatchSetup = JSON.parse(Deno.args[0]);
  const watches = setup.links.map((link) => new LeakWatch(link, setup));
  watch(watches, setup.rate);
  console.log("READY");
  for await (const _ of Deno.stdin.readable) {
    for (const one of watches) one.look();
    console.log(`L ${JSON.stringify(watches.map((one) => one.report()))}`);
  }
  Deno.exit(0);
}
