import assert from "node:assert/strict";
import { forward, forwardAll } from "../kit/checked_run.ts";

/** Frames each way: a million, or as `deno task frames` says. */
const FRAMES = Number(Deno.args[0] ?? 1_000_000);

Deno.test(`${2 * FRAMES} frames of 60 to 1514 bytes go through a guest process unchanged, in order`, async () => {
  await forwardAll({ frames: FRAMES, mode: ["-l", "1", "--no-mac-updating"] });
});

Deno.test("Frames come back with what the guest writes into them", async () => {
  const mode = ["-l", "1", "--forward-mode", "macswap"];
  await forwardAll({ frames: 500_000, mode, addresses: "swapped" });
});

Deno.test("Frames come back in order when host and guest have two lcores each", async () => {
  const mode = ["-l", "0,1", "--forward-mode", "io"];
  await forwardAll({ frames: FRAMES / 10, mode, cores: [0, 1] });
});

Deno.test("The check finds each frame that a guest changes", async () => {
  const frames = 20_000;
  const { faults, checked } = await forward({
    frames,
    mode: ["-l", "1", "--forward-mode", "macswap"],
  });
  assert.deepEqual([faults, checked], [`${frames} corrupted; ${frames} corrupted`, 2 * frames]);
});
