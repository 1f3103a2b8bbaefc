import type { Channel } from "../../app/channel/channel.ts";
import type { Random } from "../kit/random.ts";
import { Burst } from "../../app/ring/burst.ts";

/** A guest that does as chance has it, mostly what it should. */
export class RandomGuest {
  readonly #held: number[] = [];

  constructor(private readonly channels: Channel[], private readonly random: Random) {}

  turn(): void {
    const { channels, random } = this;
    const burst = Burst.of(32);
    const channel = channels[random.below(channels.length)];
    const from = random.below(4) === 0 ? channel.lend : channel.rx;
    const n = from.dequeueBurst(burst, 1 + random.below(32));
    for (let i = 0; i < n; i++) this.#held.push(burst.words[2 * i]);
    let out = 0;
    for (const most = random.below(32); out < most && this.#held.length > 0; out++) {
      const chance = random.below(20);
      const index = chance === 0 ? random.below(1 << 24) : chance === 1
        ? this.#held[0] // again, later
        : this.#held.shift()!;
      const length = random.below(10) === 0 ? random.below(65536) : 14 + random.below(1500);
      burst.words[2 * out] = index | random.below(256) << 24;
      burst.words[2 * out + 1] = (random.below(200) | length << 16) >>> 0;
    }
    const to = channels[random.below(channels.length)];
    (random.below(4) === 0 ? to.giveback : to.tx).enqueueBurst(burst, out);
  }
}
