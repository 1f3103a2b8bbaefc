import { deepEqual } from "node:assert/strict";
import type { GuestLcoreHandle } from "../../app/guest/guest_lcore.ts";
import { COMMAND } from "../../app/lcore/command.ts";
import { usableCores } from "../../app/linux/core_list.ts";
import { LcoreWorker } from "../../app/lcore/lcore.ts";
import { freshCommand } from "../lcore/fresh_command.ts";
import { counted } from "./guest_counters.ts";
import { GuestLab, lcoreParts, macOf, preparationOf, someFrame } from "./guest_lab.ts";
import { pause } from "../kit/wait.ts";

const WORKER = new URL("../../app/guest/lcore_worker.ts", import.meta.url);

/** What an lcore that forwards between ports 0 and 1 is sent. */
function order(lab: GuestLab): GuestLcoreHandle {
  const [a, b] = lab.handles;
  return {
    ...lab.region,
    ...lcoreParts(lab),
    idle: "adaptive",
    burst: 32,
    lcore: 0,
    isNotified: false,
    lanes: [{ from: a, to: b }, { from: b, to: a }],
  };
}

/** Wait until the guest has sent `count` frames by `port`, five seconds at most. */
async function sentBy(lab: GuestLab, port: number, count: number): Promise<Uint8Array[]> {
  const frames: Uint8Array[] = [];
  for (const start = performance.now(); frames.length < count;) {
    frames.push(...lab.sent(port));
    if (performance.now() - start > 5000) break;
    await pause(1);
  }
  return frames;
}

for (
  const [how, end] of [
    ["its command word says stop", (_, command) => command.value = COMMAND.STOP],
    ["the host retires the guest", (lab) => lab.retire()],
  ] as [string, (lab: GuestLab, command: ReturnType<typeof freshCommand>) => void][]
) {
  Deno.test(`a guest lcore forwards between its ports until ${how}`, async () => {
    using lab = new GuestLab({ ports: 2 });
    using command = freshCommand();
    const frames = [0, 1, 2].map((seed) => someFrame(60, seed));
    const lcore = new LcoreWorker<GuestLcoreHandle>(
      WORKER,
      usableCores().at(-1)!,
    ).prepare(preparationOf("l2fwd")).run(
      command,
      order(lab),
    );
    for (const [from, to] of [[0, 1], [1, 0]]) {
      lab.lend(frames, from);
      deepEqual(
        await sentBy(lab, to, 3),
        frames.map((frame) =>
          Uint8Array.of(2, 0, 0, 0, 0, to, ...macOf(to), ...frame.subarray(12))
        ),
      );
    }
    end(lab, command);
    deepEqual(await lcore.done, [undefined], "l2fwd saves nothing");
    for (const counters of lab.counters) {
      deepEqual(counted(counters), {
        RX: 3,
        RX_BYTES: 180,
        TX: 3,
        TX_BYTES: 180,
        DROPPED: 0,
        RX_DROPPED: 0,
      });
    }
  });
}
