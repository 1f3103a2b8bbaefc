import { equal } from "node:assert/strict";
import { describeWays } from "../../app/guest/describe_ways.ts";
import { planLcores } from "../../app/guest/plan_lcores.ts";
import type { VirtualPortHandle } from "../../app/guest/virtual_port.ts";

interface Asked {
  names: readonly string[];
  macUpdating?: boolean;
  answers?: boolean;
  count?: number;
  portMap?: string;
}

function described({ names, macUpdating, answers = false, count = 2, portMap }: Asked): string {
  const ports = Array.from({ length: count }, (_, number) => ({ number }) as VirtualPortHandle);
  const plan = planLcores({ cores: [0, 1], portMap }, answers, ports);
  const options = { "mac-updating": macUpdating };
  const handles = names.map((name) => ({ name, options }));
  return describeWays({ handles, answers }, plan.flatMap(({ lanes }) => lanes));
}

Deno.test("describeWays() names pairs once, and --no-mac-updating where addresses are rewritten", () => {
  equal(
    described({ names: ["l2fwd"], macUpdating: true, count: 3 }),
    "frames go 0 <-> 1, 2 -> 2; MAC addresses are rewritten, and most receivers drop such " +
      "frames: --no-mac-updating leaves them as they are",
  );
  equal(
    described({ names: ["l2fwd"], macUpdating: false, count: 4, portMap: "(0,3)(1,2)" }),
    "frames go 0 <-> 3, 1 <-> 2; MAC addresses stay as they are",
  );
});

Deno.test("describeWays() says what each function of culvert's does to addresses, of others nothing", () => {
  const ends: Record<string, string> = {
    io: "; MAC addresses stay as they are",
    mac: "; MAC addresses are rewritten",
    macswap: "; MAC addresses change places",
    mine: "",
  };
  for (const [name, end] of Object.entries(ends)) {
    equal(described({ names: [name] }), `frames go 0 <-> 1${end}`);
  }
  equal(described({ names: ["macswap", "mine"] }), "frames go 0 <-> 1");
});

Deno.test("describeWays() says that nothing is forwarded where ports answer by themselves", () => {
  equal(
    described({ names: ["icmpecho"], answers: true }),
    "nothing is forwarded: ports 0, 1 each by itself",
  );
});
