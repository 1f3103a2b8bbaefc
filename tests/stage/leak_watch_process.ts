/**
 * A program at the other ends of the attacked ports: it looks at each frame that leaves there, and
 * sends in frames for hostile guests to use.
 *
 * usage: leak_watch_process.ts '{"links": ["a", "b"], "frameMax": 1522, "rate": 2000}'
 *
 * It says READY, and answers each line with a {@linkcode LeakReport} for each link.
 *
 * @module
 */
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { plain } from "../kit/canary.ts";
import { BYTES_MAX, BYTES_MIN } from "../kit/flow_frame.ts";
import { BURST, LinkEnd } from "../kit/link_end.ts";
import { LeakJudge } from "./leak_judge.ts";

/** What the program is given on its command line. */
export interface LeakWatchSetup {
  /** Interfaces in this network namespace. */
  readonly links: readonly string[];
  /** The longest frame that the host may send. */
  readonly frameMax: number;
  /** Frames a second that are sent in on each link. */
  readonly rate: number;
}

/** What was found on one link until now. */
export interface LeakReport {
  readonly link: string;
  /** Frames that were looked at. */
  readonly left: number;
  /** Frames by what is wrong with them. */
  readonly wrongs: Readonly<Record<string, number>>;
  readonly firstLeak: string;
}

/** The longest frame that we have room for: the host's limit must not be ours. */
const ROOM_BYTES = 65000;

/** Milliseconds between two turns, and bursts that one turn looks at, at most. */
const TURN_MS = 1, TURN_BURSTS = 64;

class LeakWatch {
  readonly #judge: LeakJudge;
  readonly #end: LinkEnd;
  #fed = 0;

  constructor(private readonly link: string, frameMax: number) {
    this.#judge = new LeakJudge(frameMax);
    this.#end = new LinkEnd(link, ROOM_BYTES);
  }

  /** Send frames of all lengths in which no canary begins. */
  feed(count: number): void {
    const { mbufs } = this.#end;
    this.#end.send(count, (burst, i) => {
      const number = this.#fed++;
      const bytes = BYTES_MIN + number * 7 % (BYTES_MAX - BYTES_MIN + 1);
      const word1 = burst.words[(i << 1) + 1] = dataWord(HEADROOM_BYTES, bytes);
      const at = mbufs.frameByte(burst.words[i << 1], word1) >>> 2;
      mbufs.u32.fill(plain(Math.imul(number, 0x9e3779b9)), at, at + (bytes + 3 >>> 2));
      mbufs.u32[at] = 0x02; // to a unicast address, locally administered
    });
  }

  /** Take and look at the frames that wait. */
  look(): void {
    const { mbufs } = this.#end;
    const take = (byte: number, bytes: number) => this.#judge.look(mbufs, byte, bytes);
    for (let turn = 0; turn < TURN_BURSTS && this.#end.receive(take) === BURST; turn++);
  }

  report(): LeakReport {
    this.#end.refresh();
    const { left, firstLeak, wrongs } = this.#judge;
    const found = { ...wrongs, "longer than we have room for": this.#end.oversize };
    return { link: this.link, left, wrongs: found, firstLeak };
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
  const { links, frameMax, rate }: LeakWatchSetup = JSON.parse(Deno.args[0]);
  const watches = links.map((link) => new LeakWatch(link, frameMax));
  watch(watches, rate);
  console.log("READY");
  for await (const _ of Deno.stdin.readable) {
    for (const one of watches) one.look();
    console.log(`L ${JSON.stringify(watches.map((one) => one.report()))}`);
  }
  Deno.exit(0);
}
