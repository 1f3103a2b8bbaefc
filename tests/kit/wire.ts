import assert from "node:assert/strict";
import type { Running } from "./running.ts";
import { PATIENCE_MS, waitUntil } from "./wait.ts";

/** An interface to send frames on and to watch. */
export class Wire {
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly running: Running) {}

  /**
   * Put a frame, in hexadecimal, on the wire.
   *
   * @throws {AssertionError} if the kernel refuses it.
   */
  async send(frame: string, count = 1): Promise<void> {
    assert.equal(await this.trySend(frame, count), count, this.running.stdout.slice(-200));
  }

  /** Put a frame on the wire as far as the kernel takes it: the interface may be down. */
  trySend(frame: string, count = 1): Promise<number> {
    const answer = this.#last.then(async () => {
      await this.running.write(`${count} ${frame}`);
      return Number((await this.running.stdoutLine(/^S /)).slice(2));
    });
    this.#last = answer.catch(() => {});
    return answer;
  }

  /** Keep sending a frame until the result is disposed of. */
  traffic(frame: string): AsyncDisposable {
    let goesOn = true;
    const done = (async () => {
      while (goesOn) await this.trySend(frame, 100);
    })();
    done.catch(() => {}); // whoever disposes of it is told: until then it must not end the tests
    return {
      async [Symbol.asyncDispose]() {
        goesOn = false;
        await done;
      },
    };
  }

  /** The frames that have arrived, in hexadecimal, with their VLAN tags. */
  get received(): string[] {
    return [...this.running.stdout.matchAll(/^R (.*)$/gm)].map(([, frame]) => frame);
  }

  /** Wait until `count` frames have arrived that `isWanted`; returns all those. */
  async arrived(
    isWanted: (frame: string) => boolean,
    count = 1,
    patience = PATIENCE_MS,
  ): Promise<string[]> {
    let found: string[] = [];
    const isThere = () => (found = this.received.filter(isWanted)).length >= count;
    const isDone = await waitUntil(isThere, patience);
    assert(isDone, `${found.length} frames arrived where ${count} were sent`);
    return found;
  }
}

/** The EtherType of frames made by tests: for local experiments (IEEE 802). */
export const TEST_TYPE = "88b5";

/** A frame in hexadecimal: two addresses, tags, {@linkcode TEST_TYPE}, bytes that count up. */
export function testFrame(bytes: number, { tags = "", seed = 0 } = {}): string {
  const head = `02aaaaaaaaaa02bbbbbbbbbb${tags}${TEST_TYPE}`;
  const length = Math.max(0, bytes - head.length / 2);
  const payload = Uint8Array.from({ length }, (_, i) => i * 7 + seed + (i >>> 8));
  return head.slice(0, bytes * 2) + payload.toHex();
}

/** Send each frame both ways; each must arrive once, unchanged, in order, and nothing else. */
export async function assertArrive(
  { a, b }: { a: Wire; b: Wire },
  frames: string[],
): Promise<void> {
  for (const [from, to] of [[a, b], [b, a]] as const) {
    const before = to.received.length;
    for (const frame of frames) await from.send(frame);
    await to.arrived(() => true, before + frames.length);
    assert.deepEqual(to.received.slice(before), frames);
  }
}
