import { Clone } from "../kit/clone.ts";

Deno.test("A clone's host and guest start without network and without npm packages", async () => {
  await using clone = await Clone.create();
  await clone.forwards();
});
