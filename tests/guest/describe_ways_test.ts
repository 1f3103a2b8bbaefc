import { equal } from "node:assert/strict";
import { describeWays } from "../../app/guest/describe_ways.ts";
import { planLcores } from "../../app/guest/plan_lcores.ts";
import type { VirtualPortHandle } from "../../app/guest/virtual_port.ts";

function described(mode: string, macUpdating: boolean, count: number, portMap?: string): string {
  const ports = Array.from({ length: count }, (_, number) => ({ number }) as VirtualPortHandle);
  const plan = planLcores({ cores: [0, 1], mode, portMap }, ports);
  return describeWays({ mode, macUpdating }, plan.flatMap(({ lanes }) => lanes));
}

Deno.test("describeWays() names pairs once, and --no-mac-updating where addresses are rewritten", () => {
  equal(
    described("l2fwd", true, 3),
    "frames go 0 <-> 1, 2 -> 2; MAC addresses are rewritten, and most receivers drop such " +
      "frames: --no-mac-updating leaves them as they are",
  );
  equal(
    described("l2fwd", false, 4, "(0,3)(1,2)"),
    "frames go 0 <-> 3, 1 <-> 2; MAC addresses stay as they are",
  );
});

Deno.test("describeWays() says what each other mode does to addresses, whatever --mac-updating is", () => {
  const ends: Record<string, string> = {
    io: "MAC addresses stay as they are",
    mac: "MAC addresses are rewritten",
    macswap: "MAC addresses change places",
  };
  for (const [mode, end] of Object.entries(ends)) {
    equal(described(mode, true, 2), `frames go 0 <-> 1; ${end}`);
  }
  for (const mode of ["icmpecho", "rxonly", "txonly"]) {
    equal(described(mode, true, 2), "nothing is forwarded: ports 0, 1 each by itself");
  }
});
