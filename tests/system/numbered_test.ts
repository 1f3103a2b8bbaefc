import assert from "node:assert/strict";
import { assertPerfect, forward, report } from "./numbered_course.ts";
import { FOUND } from "./numbered_frames.ts";

Deno.test("ten million frames of 60 to 1514 bytes go through a guest process untouched and in order", async () => {
  const outcome = await forward({ frames: 5_000_000, mode: ["-l", "1", "--no-mac-updating"] });
  assertPerfect(outcome);
  report(outcome);
});

Deno.test("what the guest writes in a frame is what comes back", async () => {
  const mode = ["-l", "1", "--forward-mode", "macswap"];
  assertPerfect(await forward({ frames: 500_000, mode, addresses: "swapped" }));
});

Deno.test("frames come back in order when host and guest have two lcores each", async () => {
  const mode = ["-l", "0,1", "--forward-mode", "io"];
  assertPerfect(await forward({ frames: 200_000, mode, hostCores: [0, 1] }));
});

Deno.test("the checks see it if a guest changes frames that are to stay as they are", async () => {
  const frames = 20_000;
  const { run, faults } = await forward({ frames, mode: ["-l", "1", "--forward-mode", "macswap"] });
  assert.equal(faults, `${frames} with wrong bytes; ${frames} with wrong bytes`);
  assert.equal(run.findingsAt(0)[FOUND.NEXT], frames);
});
