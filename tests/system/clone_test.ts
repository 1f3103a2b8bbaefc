import assert from "node:assert/strict";
import { Clone } from "../kit/clone.ts";

/** Characters that are special in URLs, in lists of paths and to a shell. */
const AWKWARD = "a b'ü#1%41,c";

Deno.test("A clone's host and guest start without network and without npm packages", async () => {
  await using clone = await Clone.create();
  await clone.forwards();
});

Deno.test(`A clone in a folder called ${AWKWARD} builds its shim; host and guest start`, async () => {
  await using clone = await Clone.create(AWKWARD);
  await clone.forwards();
});

Deno.test(`On a bare machine the demo works, in a folder called ${AWKWARD}`, async () => {
  await using clone = await Clone.create(AWKWARD);
  const { code, stdout, stderr } = await clone.task("demo", "--seconds", "1").ended(60_000);
  assert.equal(code, 0, stdout + stderr);
  assert.match(stdout, / 5 received, 0% packet loss/);
  const speeds = [
    ...stdout.matchAll(/(to|from) +10\.98\.0\.2: ([\d.]+) Gbits\/sec, (\d+) MB received/g),
  ];
  assert.deepEqual(speeds.map(([, direction]) => direction), ["to", "from"]);
  for (const [line, , speed, megabytes] of speeds) {
    assert(Number(speed) > 0 && Number(megabytes) > 0, line);
  }
  assert.match(stdout, /mbufs: 8192 of 8192 free/);
});
