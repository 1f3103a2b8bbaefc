import { shim } from "../../ffi/shim.ts";
import { DESCRIPTOR_FLAG } from "../memory/layout.ts";
import type { Mbufs } from "../mempool/mbuf.ts";
import { Burst } from "../ring/burst.ts";
import type { Chain, LaneBurst } from "./function/chain.ts";
import { checkedBurst } from "./function/checked_burst.ts";
import { FrameBurst } from "./function/frame_burst.ts";
import type { FrameSource } from "./function/frame_source.ts";
import { Frames, MARK } from "./function/frames.ts";
import type { TxBuffer } from "./tx_buffer.ts";
import type { RxEnd } from "./virtual_port.ts";

/** What a {@linkcode GuestLane} is made of. */
export interface LaneParts {
  /** The region's mbufs. */
  readonly mbufs: Mbufs;
  /** Where frames are received, and mbufs given back. */
  readonly from: RxEnd;
  /** Where frames are sent, unless a function sends them elsewhere. */
  readonly out: TxBuffer;
  /** By port number, where frames can be sent; none where another lcore sends. */
  readonly outputs: readonly (TxBuffer | undefined)[];
  /** Frames that are received at a time, at most. */
  readonly burst: number;
  /** The longest frame that is sent, in bytes. */
  readonly frameMax: number;
  /** Whether all that functions do is looked at: see `checkedBurst()`. */
  readonly isChecked?: boolean;
}

/** Frames that a burst has room for: each received frame may be flooded to all other ports. */
export function burstRoom(burst: number, ports: number): number {
  return burst * Math.max(2, ports - 1);
}

/** One way through the guest: frames are received by a port, go through functions, and are sent. */
export class GuestLane implements FrameSource, LaneBurst {
  /** Where frames are received, and mbufs given back. */
  readonly from: RxEnd;
  /** Where frames are sent, unless a function sends them elsewhere. */
  readonly out: TxBuffer;
  readonly #outputs: readonly (TxBuffer | undefined)[];
  readonly #mbufs: Mbufs;
  readonly #size: number;
  readonly #burst: Burst;
  readonly #dropped: Burst;
  /** The frames of the burst. */
  readonly frames: Frames;
  /** What functions see of them. */
  readonly seen: FrameBurst;

  /** For one lcore. */
  constructor({ mbufs, from, out, outputs, burst, frameMax, isChecked }: LaneParts) {
    this.from = from;
    this.out = out;
    this.#outputs = outputs;
    this.#mbufs = mbufs;
    this.#size = burst;
    this.#burst = Burst.of(burstRoom(burst, outputs.length));
    this.#dropped = Burst.of(burstRoom(burst, outputs.length));
    this.frames = new Frames(this.#burst, mbufs, frameMax);
    const parts = [this.frames, mbufs, outputs, this] as const;
    this.seen = isChecked ? checkedBurst(...parts) : new FrameBurst(...parts);
    this.seen.port = from.number;
    this.seen.to = out.number;
  }

  /** Receive a burst, run the functions on it, send what is left; returns the frames that moved. */
  turn(chain: Chain): number {
    const burst = this.#burst;
    const received = this.from.rxBurst(burst, this.#size);
    if (received > 0) this.#mbufs.prefetch(burst, received);
    else if (!chain.originates) return 0;
    const { frames } = this;
    frames.begin(received);
    if (!chain.offloads) this.#dropSuper(received);
    const failed = chain.run(this);
    if (failed > 0) this.from.countFailed(failed);
    const made = frames.count - received;
    if (!frames.isMarked) this.out.add(burst, frames.count);
    else this.#settle();
    frames.count = 0;
    this.seen.show(0); // a function that has kept the burst finds no frame in it
    return made > 0 ? received + made : received;
  }

  allocTo(burst: Burst, at: number): boolean {
    return this.from.allocBurst(burst, 1, at) === 1;
  }

  copyFrame(burst: Burst, from: number, to: number): boolean {
    if (this.frames.isSuper(from)) return false; // mbufs that are lent empty are short
    const { map } = this.#mbufs;
    const [maps, bursts] = [(map | map << 16) >>> 0, (burst.map | burst.map << 16) >>> 0];
    const [source, target] = [burst.word + 2 * from, burst.word + 2 * to];
    return shim.shim_frames_copy(maps, bursts, source, target, 1) === 1;
  }

  /**
   * Drop super-frames, as these functions do not take them: they were under way when these
   * functions took over from others, which do.
   */
  #dropSuper(received: number): void {
    const { words } = this.#burst;
    let flags = 0;
    for (let i = 0; i < received << 1; i += 2) flags |= words[i];
    if ((flags & DESCRIPTOR_FLAG.SUPER) === 0) return;
    for (let i = 0; i < received; i++) if (this.frames.isSuper(i)) this.frames.mark(i, MARK.DROP);
    this.release();
  }

  /** Free the frames that are marked to be dropped; the others move up, with their marks. */
  release(): void {
    this.from.drop(this.#dropped, this.frames.takeDropped(this.#dropped.words));
  }

  /** Send each frame where its mark says; those without one stay together. */
  #settle(): void {
    this.release();
    const { frames } = this;
    const burst = this.#burst;
    if (!frames.isMarked) return this.out.add(burst, frames.count);
    frames.isMarked = false;
    const { marks, words } = frames;
    let kept = 0;
    for (let i = 0; i < frames.count; i++) {
      const mark = marks[i];
      marks[i] = MARK.NONE;
      if (mark !== MARK.NONE) {
        this.#outputs[mark - 1]!.add(burst, 1, i);
        continue;
      }
      words[kept << 1] = words[i << 1];
      words[(kept++ << 1) + 1] = words[(i << 1) + 1];
    }
    this.out.add(burst, kept);
  }
}
