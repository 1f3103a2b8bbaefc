import type { CapturePoint } from "../capture/capture_point.ts";
import { INBOUND, NO_DIRECTION, OUTBOUND } from "../capture/record.ts";
import { FRAME_MIN_BYTES } from "../memory/layout.ts";
import { COUNTER } from "../port/counters.ts";
import { Burst } from "../ring/burst.ts";
import type { Mirror } from "./mirror.ts";

/** Shows a lane's frames to captures and to a mirror. Frames stay the lane's. */
export class LaneWatch {
  readonly #capture: CapturePoint;
  readonly #mirror?: Mirror;
  readonly #givenBack: Burst;

  /**
   * Watch a port's frames.
   *
   * @param capture Where they are captured.
   * @param mirror The port that gets copies.
   * @param burst Frames that come at a time, at most.
   */
  constructor(capture: CapturePoint, mirror: Mirror | undefined, burst: number) {
    this.#capture = capture;
    this.#mirror = mirror;
    this.#givenBack = Burst.of(burst);
  }

  /** Once a burst, before any of its frames: see which captures want them. */
  look(): void {
    this.#capture.look();
  }

  /** The first `count` frames were received. They are not lent yet: a guest may change them. */
  received(burst: Burst, count: number): void {
    this.#capture.add(burst, count, 0, INBOUND);
    this.#mirror?.send(burst, count);
  }

  /** The first `count` frames are about to be sent. */
  sending(burst: Burst, count: number): void {
    this.#capture.add(burst, count, 0, OUTBOUND);
    this.#mirror?.send(burst, count);
  }

  /** Frames `from` to `to - 1`, of those received or about to be sent, are dropped. */
  dropped(from: number, to: number, reason: number): void {
    this.#capture.mark(from, to, reason);
  }

  /** The guest has sent malformed frames. */
  malformed(burst: Burst, count: number): void {
    this.#capture.addDrops(burst, count, OUTBOUND, COUNTER.MALFORMED);
  }

  /** The guest has given mbufs back, with the frames in them that it did not send. */
  givenBack(burst: Burst, count: number): void {
    if (!this.#capture.look()) return;
    const [from, to] = [burst.words, this.#givenBack.words];
    let frames = 0;
    for (let i = 0; i < count << 1; i += 2) {
      if (from[i + 1] >>> 16 < FRAME_MIN_BYTES) continue; // lent empty, and never filled
      to[frames << 1] = from[i];
      to[(frames++ << 1) + 1] = from[i + 1];
    }
    this.#capture.addDrops(this.#givenBack, frames, NO_DIRECTION, COUNTER.GUEST);
    this.#capture.publish();
  }

  /** The burst is done: publish the captured frames. */
  publish(): void {
    this.#capture.publish();
  }

  /** Housekeeping, several times a second. */
  refresh(): void {
    this.#capture.refresh();
    this.#mirror?.refresh();
  }

  /** Close the mirror. */
  close(): void {
    this.#mirror?.close();
  }
}
