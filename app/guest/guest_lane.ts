import { shim } from "../../ffi/shim.ts";
import { DESCRIPTOR_FLAG } from "../memory/layout.ts";
import type { Mbufs } from "../mempool/mbuf.ts";
import { Burst } from "../ring/burst.ts";
import type { Chain } from "./function/chain.ts";
import { FrameBurst } from "./function/frame_burst.ts";
import type { FrameSource } from "./function/frame_source.ts";
import { compact, MARK } from "./function/marks.ts";
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
}

/** One way through the guest: frames are received by a port, go through functions, and are sent. */
export class GuestLane implements FrameSource {
  /** Where frames are received, and mbufs given back. */
  readonly from: RxEnd;
  /** Where frames are sent, unless a function sends them elsewhere. */
  readonly out: TxBuffer;
  readonly #outputs: readonly (TxBuffer | undefined)[];
  readonly #mbufs: Mbufs;
  readonly #size: number;
  /** Room for as many frames more, which functions make. */
  readonly #burst: Burst;
  readonly #dropped: Burst;
  readonly #frames: FrameBurst;

  /** For one lcore. */
  constructor({ mbufs, from, out, outputs, burst }: LaneParts) {
    this.from = from;
    this.out = out;
    this.#outputs = outputs;
    this.#mbufs = mbufs;
    this.#size = burst;
    this.#burst = Burst.of(2 * burst);
    this.#dropped = Burst.of(2 * burst);
    this.#frames = new FrameBurst(this.#burst, mbufs, outputs, this);
    this.#frames.port = from.number;
    this.#frames.to = out.number;
  }

  /** Receive a burst, run the functions on it, send what is left; returns the frames that moved. */
  turn(chain: Chain): number {
    const burst = this.#burst;
    const received = this.from.rxBurst(burst, this.#size);
    if (received > 0) this.#mbufs.prefetch(burst, received);
    else if (!chain.originates) return 0;
    const frames = this.#frames;
    frames.begin(received);
    if (!chain.offloads) this.#dropSuper(received);
    const failed = chain.run(frames, this);
    if (failed > 0) this.from.countFailed(failed);
    const made = frames.count - received;
    if (!frames.isMarked) this.out.add(burst, frames.count);
    else this.#settle();
    return made > 0 ? received + made : received;
  }

  allocTo(burst: Burst, at: number): boolean {
    return this.from.allocBurst(burst, 1, at) === 1;
  }

  copyFrame(burst: Burst, from: number, to: number): boolean {
    if (this.#frames.isSuperFrame(from)) return false; // what is lent empty is short
    const { map } = this.#mbufs;
    const [maps, bursts] = [(map | map << 16) >>> 0, (burst.map | burst.map << 16) >>> 0];
    const [source, target] = [burst.word + 2 * from, burst.word + 2 * to];
    return shim.shim_frames_copy(maps, bursts, source, target, 1) === 1;
  }

  /**
   * Drop super-frames, which functions that do not take them must not see: they were under way when
   * others took over from those that do.
   */
  #dropSuper(received: number): void {
    const { words } = this.#burst;
    let flags = 0;
    for (let i = 0; i < received << 1; i += 2) flags |= words[i];
    if ((flags & DESCRIPTOR_FLAG.SUPER) === 0) return;
    for (let i = 0; i < received; i++) if (this.#frames.isSuperFrame(i)) this.#frames.drop(i);
    this.release();
  }

  /** Free the frames that are marked to be dropped; the others move up, with their marks. */
  release(): void {
    this.from.drop(this.#dropped, compact(this.#frames, this.#dropped.words));
  }

  /** Send each frame where its mark says; those without one stay together. */
  #settle(): void {
    this.release();
    const frames = this.#frames;
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
