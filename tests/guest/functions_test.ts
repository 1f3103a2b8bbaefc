import { deepEqual, equal, rejects, throws } from "node:assert/strict";
import * as v from "valibot";
import type { FunctionModule } from "../../app/guest/function/function_module.ts";
import { findFunction } from "../../app/guest/function/function_name.ts";
import { functionNames } from "./function_names.ts";
import { GuestLab, macOf, someFrame } from "./guest_lab.ts";

const FRAMES = Array.from({ length: 5 }, (_, i) => someFrame(60 + i, i));

/** What a frame looks like that the paired port, number 1, sends for l2fwd. */
function updated(frame: Uint8Array): Uint8Array {
  return Uint8Array.of(2, 0, 0, 0, 0, 1, ...macOf(1), ...frame.subarray(12));
}

/** A frame, its addresses swapped. */
function swapped(frame: Uint8Array): Uint8Array {
  return Uint8Array.of(...frame.subarray(6, 12), ...frame.subarray(0, 6), ...frame.subarray(12));
}

const NOT_UPDATING = { "mac-updating": "false" };

for (
  const [name, set, expected] of [
    ["l2fwd", {}, updated],
    ["l2fwd", NOT_UPDATING, (frame) => frame],
    ["io", {}, (frame) => frame],
    ["mac", {}, updated],
    ["macswap", {}, swapped],
  ] as [string, Record<string, string>, (frame: Uint8Array) => Uint8Array][]
) {
  const how = set === NOT_UPDATING ? " without MAC updating" : "";
  for (const headroom of [128, 130]) {
    Deno.test(`${name}${how} sends all frames, in order, from ${headroom} bytes on`, async () => {
      using lab = new GuestLab({ ports: 2 });
      const sent = await lab.through(name, FRAMES, { to: 1, set, headroom });
      deepEqual(sent, FRAMES.map(expected));
      deepEqual(lab.givenBack(), []);
      deepEqual(await lab.through(name, [], { to: 1, set }), [], "and nothing of nothing");
    });
  }
}

Deno.test("rxonly drops all frames, and gives their mbufs back", async () => {
  using lab = new GuestLab();
  deepEqual(await lab.through("rxonly", FRAMES), []);
  deepEqual(lab.givenBack(), [0, 1, 2, 3, 4]);
});

Deno.test("functionNames() are l2fwd and testpmd's modes", () => {
  const names = ["icmpecho", "io", "l2fwd", "mac", "macswap", "rxonly", "txonly"];
  deepEqual(functionNames(), names);
  for (const name of names) equal(findFunction(name).name, name);
});

Deno.test("findFunction() refuses a name and a path that are not there", () => {
  throws(() => findFunction("l2fw"), {
    name: "UsageError",
    message: "Cannot use function l2fw as there is none of that name: icmpecho, io, l2fwd, mac, " +
      "macswap, rxonly, txonly come with culvert; a file of yours is named by its path, as ./my.ts",
  });
  throws(() => findFunction("./none.ts"), {
    name: "UsageError",
    message: "Cannot use function ./none.ts as there is no such file: name its path, as ./my.ts",
  });
});

Deno.test("findFunction() refuses a file that is no code by its name", () => {
  for (const named of ["./a.txt", "./README", "../my.ts.bak", "./my.tsx"]) {
    throws(() => findFunction(named), {
      name: "UsageError",
      message: `Cannot use function ${named} by its name: a file of yours ends in .ts, .js, .mts ` +
        "or .mjs; icmpecho, io, l2fwd, mac, macswap, rxonly, txonly come with culvert",
    });
  }
});

Deno.test("Options are described by a schema of valibot: what it refuses is told with the key", async () => {
  using lab = new GuestLab();
  const rate = v.pipe(v.string(), v.transform(Number), v.minValue(1, "that is less than 1"));
  const seen: number[] = [];
  const module: FunctionModule = {
    options: v.strictObject({ rate }),
    setup: ({ options }) => void seen.push((options as { rate: number }).rate),
  };
  await lab.chain(module, { rate: "50" });
  deepEqual(seen, [50]);
  const refused = (set: Record<string, string>, message: RegExp) =>
    rejects(() => lab.chain(module, set), { name: "UsageError", message });
  await refused({ rate: "0" }, /^Cannot set rate=0 of function test as that is less than 1$/);
  await refused({ rate: "1", rat: "5" }, /^Cannot set rat=5 of function test as /);
});

Deno.test("Options that a function does not have, or of another kind, are refused by their key", async () => {
  using lab = new GuestLab();
  const refused = (name: string, set: Record<string, string>, message: string) =>
    rejects(() => lab.chain(name, set), { name: "UsageError", message });
  await refused("io", { a: "1" }, "Cannot set a as function io has no options");
  await refused(
    "l2fwd",
    { "mac-updating": "maybe" },
    "Cannot set mac-updating=maybe of function l2fwd as that is no true or false",
  );
  await refused(
    "txonly",
    { byte: "64" },
    "Cannot set byte=64 of function txonly as there is no such option: it has bytes",
  );
});
