import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { equal } from "node:assert/strict";
import type { Attachment } from "../../app/guest/attachment.ts";
import { type LaidOutRegion, layOut } from "../../app/host/lay_out.ts";
import type { TestHost } from "../host/test_host.ts";
import { openedPort, placed } from "../host/test_ports.ts";
import { attach } from "./attaching.ts";

/** Claim place 0 of the lab's region; the host lets us in. */
export async function claim(lab: TestHost, wantsMbufs = false): Promise<Attachment> {
  const claimed = attach(lab.memory, 0, { wantsMbufs });
  equal(lab.guest.state, GUEST_STATE.ATTACHING);
  lab.supervisor.step(0);
  lab.follower.follow();
  lab.supervisor.step(0);
  return await claimed;
}

/** What becomes of the host when a new one begins in the same memory. */
export function startAnew(lab: TestHost): LaidOutRegion {
  const guests = [{ number: 0, ports: [] }];
  const options = { name: "r0", mbufs: 64, ringSize: 64, guests };
  const laidOut = layOut(lab.memory, options, { mtu: 1500, burst: 32 }, [
    placed([openedPort("p0")]),
  ]);
  laidOut.region.publish();
  return laidOut;
}
