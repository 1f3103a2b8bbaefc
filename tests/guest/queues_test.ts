import { deepEqual } from "node:assert/strict";
import { GuestLcore } from "../../app/guest/guest_lcore.ts";
import { planLcores } from "../../app/guest/plan_lcores.ts";
import type { VirtualPortHandle } from "../../app/guest/virtual_port.ts";
import type { FrameBurst } from "../../app/guest/function/frame_burst.ts";
import { freshCommand } from "../lcore/fresh_command.ts";
import { GuestLab, lcoreParts, someFrame } from "./guest_lab.ts";

/** The lab's channels as the queues of ports: `2, 1` for one of two queues and one of one. */
function portsOf(lab: GuestLab, ...counts: number[]): VirtualPortHandle[] {
  const handles = [...lab.handles];
  return counts.flatMap((count, number) =>
    handles.splice(0, count).map((handle, queue) => ({
      ...handle,
      number,
      ...count > 1 && { queue: { number: queue, count } },
    }))
  );
}

/** An lcore that has all lanes, and sends all frames by the port of their first byte. */
function lcoreOf(lab: GuestLab, ports: readonly VirtualPortHandle[]): GuestLcore {
  const [{ lanes }] = planLcores({ cores: [0] }, false, ports);
  const send = (burst: FrameBurst) => {
    for (let i = 0; i < burst.count; i++) burst.sendTo(i, burst.u8(i, 0));
  };
  const handle = { named: "send", name: "send", url: "", options: {} };
  const [command, parts] = [freshCommand(), lcoreParts(lab)];
  const own = { idle: "poll", burst: 32, lcore: 0, isNotified: false, lanes } as const;
  const all = [...new Set(ports.map(({ number }) => number))];
  const descriptions = all.map((number) => ports.find((port) => port.number === number)!);
  return new GuestLcore(
    { ...lab.region, ...parts, ...own, ports: descriptions },
    command,
    () => {},
    [{ handle, module: { default: send } }],
    { memory: lab.memory },
  );
}

/** Lend a frame by channel `from` for port `to`; by which channels it is sent. */
function sentFrom(lab: GuestLab, lcore: GuestLcore, from: number, to: number): number[] {
  lab.lend([Uint8Array.of(to, ...someFrame(60))], from);
  for (let turn = 0; turn < 10; turn++) lcore.turn();
  return lab.handles.flatMap((_, channel) => lab.sent(channel).map(() => channel));
}

Deno.test("A frame that a function sends to a port goes by the queue of its lane", () => {
  using lab = new GuestLab({ ports: 6 });
  const lcore = lcoreOf(lab, portsOf(lab, 2, 2, 2));
  for (const queue of [0, 1]) {
    for (const from of [0, 2, 4]) {
      for (const to of [0, 1, 2]) {
        deepEqual(sentFrom(lab, lcore, from + queue, to), [2 * to + queue]);
      }
    }
  }
});

Deno.test("Queues lead to those of a port with fewer or more, each to one", () => {
  using lab = new GuestLab({ ports: 7 });
  const lcore = lcoreOf(lab, portsOf(lab, 4, 2, 1));
  deepEqual([0, 1, 2, 3].map((from) => sentFrom(lab, lcore, from, 1)), [[4], [4], [5], [5]]);
  deepEqual([0, 1, 2, 3].map((from) => sentFrom(lab, lcore, from, 2)), [[6], [6], [6], [6]]);
  deepEqual([4, 5].map((from) => sentFrom(lab, lcore, from, 0)), [[0], [2]]);
});
