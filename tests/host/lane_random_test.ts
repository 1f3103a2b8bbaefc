import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { type Channel } from "../../app/channel/channel.ts";
import type { Lane } from "../../app/host/lane.ts";
import { Random } from "../ffi/random.ts";
import { FakePort } from "./fake_port.ts";
import { HostLab } from "./host_lab.ts";

/** A guest that does as chance has it, mostly what it should. */
class RandomGuest {
  readonly #held: number[] = [];

  constructor(private readonly channels: Channel[], private readonly random: Random) {}

  turn(): void {
    const { channels, random } = this;
    const burst = new Uint32Array(2 * 32);
    const channel = channels[random.below(channels.length)];
    const from = random.below(4) === 0 ? channel.lend : channel.rx;
    const n = from.dequeueBurst(burst, 1 + random.below(32));
    for (let i = 0; i < n; i++) this.#held.push(burst[2 * i]);
    let out = 0;
    for (const most = random.below(32); out < most && this.#held.length > 0; out++) {
      const chance = random.below(20);
      const index = chance === 0 ? random.below(1 << 24) : chance === 1
        ? this.#held[0] // again, later
        : this.#held.shift()!;
      const length = random.below(10) === 0 ? random.below(65536) : 14 + random.below(1500);
      burst[2 * out] = index | random.below(256) << 24;
      burst[2 * out + 1] = (random.below(200) | length << 16) >>> 0;
    }
    const to = channels[random.below(channels.length)];
    (random.below(4) === 0 ? to.giveback : to.tx).enqueueBurst(burst, out);
  }
}

function turn(lane: Lane, port: FakePort, random: Random): void {
  port.waiting += random.below(40);
  port.isUp = random.below(10) > 0;
  port.takes = random.below(3) === 0 ? random.below(33) : Infinity;
  lane.hostToGuest();
  lane.guestToHost();
  lane.takeGiveback();
  lane.lendMbufs();
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8]) {
  Deno.test(`Lanes account for every frame and mbuf, whatever guests do: seed ${seed}`, () => {
    using lab = new HostLab({ ports: 2, mbufs: 300, ringSize: 32 });
    const random = new Random(seed);
    const lanes = [0, 1].map((port) => lab.lane((resources) => new FakePort(resources), port));
    for (let life = 0; life < 6; life++) {
      const guest = new RandomGuest(lab.attach(life % 2 === 0), random);
      for (let turns = 0; turns < 100; turns++) {
        for (const [lane, port] of lanes) turn(lane, port, random);
        guest.turn();
      }
      if (random.below(2) === 0) {
        lab.guest.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
      }
      lab.supervisor.step(0);
      for (const [lane, port] of lanes) turn(lane, port, random); // the gate is not yet seen to be shut
      lab.cutOff();
      for (const [lane, port] of lanes) turn(lane, port, random);
      lab.checkAccounts();
    }
  });
}
