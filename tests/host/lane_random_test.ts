import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import type { Lane } from "../../app/host/lane.ts";
import { Random } from "../kit/random.ts";
import type { FakePort } from "./fake_port.ts";
import { TestHost } from "./test_host.ts";
import { RandomGuest } from "./random_guest.ts";

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
    using lab = new TestHost({ ports: 2, mbufs: 300, ringSize: 32, quarantineAfter: 0 });
    const random = new Random(seed);
    const lanes = [0, 1].map((port) => lab.lane(port));
    for (let life = 0; life < 6; life++) {
      const guest = new RandomGuest(lab.attachOnly(life % 2 === 0), random);
      for (let turns = 0; turns < 100; turns++) {
        for (const [lane, port] of lanes) turn(lane, port, random);
        guest.turn();
      }
      if (random.below(2) === 0) {
        lab.guest.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING);
      }
      lab.supervisor.step(0);
      // The lanes have not yet seen that the gate is shut.
      for (const [lane, port] of lanes) turn(lane, port, random);
      lab.cutOff();
      for (const [lane, port] of lanes) turn(lane, port, random);
      lab.checkAccounts();
    }
  });
}
