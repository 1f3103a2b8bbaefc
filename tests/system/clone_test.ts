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
