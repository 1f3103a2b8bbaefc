import { deepEqual, throws } from "node:assert/strict";
import type { GuestOptions } from "../../app/guest/guest_options.ts";
import { planLcores } from "../../app/guest/plan_lcores.ts";
import type { VirtualPortHandle } from "../../app/guest/virtual_port.ts";
import { GUEST_DEFAULTS } from "./guest_defaults.ts";
import { newGuestCounters } from "./guest_counters.ts";
import { macOf } from "./guest_lab.ts";

function ports(count: number): VirtualPortHandle[] {
  return Array.from({ length: count }, (_, number) => ({
    number,
    name: `p${number}`,
    mac: macOf(number),
    place: { channel: 0, rx: 0, tx: 0, lend: 0, giveback: 0, ringSize: 2 },
    counters: newGuestCounters(),
  }));
}

/** `core: from>to from>to` for each lcore of the plan. */
function plan(
  { answers = false, ...options }: Partial<GuestOptions> & { answers?: boolean },
  count: number,
): string[] {
  return planLcores({ ...GUEST_DEFAULTS, ...options }, answers, ports(count)).map((
    { core, lanes },
  ) => `${core}: ${lanes.map(({ from, to }) => `${from.number}>${to.number}`).join(" ")}`);
}

for (
  const [what, options, count, expected] of [
    ["pairs neighbours on one core", {}, 4, ["0: 0>1 1>0 2>3 3>2"]],
    ["pairs an odd port with itself", {}, 3, ["0: 0>1 1>0 2>2"]],
    ["deals lanes to cores evenly", { cores: [4, 2] }, 4, ["4: 0>1 1>0", "2: 2>3 3>2"]],
    ["splits a pair if it must", { cores: [0, 1] }, 2, ["0: 0>1", "1: 1>0"]],
    ["leaves out cores that have nothing to do", { cores: [0, 1, 2] }, 1, ["0: 0>0"]],
    ["leaves the last core idle rather than uneven", { cores: [0, 1, 2] }, 4, [
      "0: 0>1 1>0",
      "1: 2>3 3>2",
    ]],
    ["fills a core up to -q before the next", { cores: [0, 1], portsPerLcore: 3 }, 4, [
      "0: 0>1 1>0 2>3",
      "1: 3>2",
    ]],
    ["uses as few cores as -q allows", { cores: [0, 1], portsPerLcore: 8 }, 4, [
      "0: 0>1 1>0 2>3 3>2",
    ]],
    ["uses the ports of the mask alone", { portMask: "d" }, 4, ["0: 0>2 2>0 3>3"]],
    ["follows the port map", { portMap: "(0,3)(2,1)" }, 4, ["0: 0>3 3>0 2>1 1>2"]],
    ["pairs each port with itself for what answers", { answers: true }, 2, ["0: 0>0 1>1"]],
    ["deals those to cores", { answers: true, cores: [0, 1] }, 2, ["0: 0>0", "1: 1>1"]],
    ["and those of the mask alone", { answers: true, portMask: "2" }, 2, ["0: 1>1"]],
  ] as [string, Partial<GuestOptions> & { answers?: boolean }, number, string[]][]
) {
  Deno.test(`planLcores() ${what}`, () => {
    deepEqual(plan(options, count), expected);
  });
}

for (
  const [options, count, message] of [
    [{ portsPerLcore: 1 }, 2, "Cannot poll 2 ports as -q 1 allows 1 cores 1: "],
    [{ portsPerLcore: 3, cores: [0, 1] }, 7, "Cannot poll 7 ports as -q 3 allows 2 cores 6: "],
  ] as [Partial<GuestOptions>, number, string][]
) {
  Deno.test(`planLcores() refuses ${count} ports that -q ${options.portsPerLcore} does not allow`, () => {
    throws(() => plan(options, count), {
      name: "UsageError",
      message: `${message}name more cores (-l) or raise -q`,
    });
  });
}

Deno.test("planLcores() refuses a mask or a map that does not fit the ports", () => {
  throws(() => plan({ portMask: "4" }, 2), { name: "UsageError", message: /^Cannot use -p 4 as / });
  throws(() => plan({ portMap: "(0,2)" }, 2), {
    name: "UsageError",
    message: /^Cannot use --portmap /,
  });
});

/** `core: port.queue>port.queue` for each lcore; `counts`: queues of each port. */
function planQueues(cores: number[], counts: number[], portsPerLcore?: number): string[] {
  const all = counts.flatMap((count, number) =>
    Array.from({ length: count }, (_, queue): VirtualPortHandle => ({
      ...ports(1)[0],
      number,
      ...count > 1 && { queue: { number: queue, count } },
    }))
  );
  const text = ({ number, queue }: VirtualPortHandle) => `${number}.${queue?.number ?? 0}`;
  return planLcores({ ...GUEST_DEFAULTS, cores, portsPerLcore }, false, all).map((
    { core, lanes },
  ) => `${core}: ${lanes.map(({ from, to }) => `${text(from)}>${text(to)}`).join(" ")}`);
}

Deno.test("planLcores() gives an lcore the same queues of all ports", () => {
  deepEqual(planQueues([0], [2, 2]), ["0: 0.0>1.0 1.0>0.0 0.1>1.1 1.1>0.1"]);
  deepEqual(planQueues([0, 1], [2, 2]), ["0: 0.0>1.0 1.0>0.0", "1: 0.1>1.1 1.1>0.1"]);
  deepEqual(planQueues([0, 1], [2]), ["0: 0.0>0.0", "1: 0.1>0.1"]);
});

Deno.test("planLcores() never has two lcores send by one queue", () => {
  deepEqual(planQueues([0, 1], [2, 1]), ["0: 0.0>1.0 0.1>1.0", "1: 1.0>0.0"]);
  deepEqual(planQueues([0, 1, 2], [4, 2]), [
    "0: 0.0>1.0 0.1>1.0",
    "1: 1.0>0.0 1.1>0.2",
    "2: 0.2>1.1 0.3>1.1",
  ]);
  throws(() => planQueues([0, 1], [2, 1], 1), { message: /^Cannot poll 3 ports as -q 1 / });
});
