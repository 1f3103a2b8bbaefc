import { deepEqual, equal, ok } from "node:assert/strict";
import type { FunctionModule } from "../../app/guest/function/function_module.ts";
import { frame, tryFunction } from "../../app/testing.ts";
import { readSource } from "../source_files.ts";

/** The first example of a document, as a file that a user writes. */
async function exampleOf(document: string): Promise<FunctionModule> {
  const [, code] = /^```ts\n([^]*?)^```$/m.exec(readSource(document))!;
  return await import("data:application/typescript," + encodeURIComponent(code));
}

Deno.test("the example of app/guest/README.md drops ARP, and counts TCP connections that are begun", async () => {
  const syn = frame.tcp(), other = frame.tcp({ flags: 0x10 });
  const { frames, counters } = await tryFunction(await exampleOf("app/guest/README.md"), [
    ...[frame.arp(), syn, other],
  ]);
  deepEqual(frames.map(({ what }) => what), ["dropped", "sent", "sent"]);
  equal(counters.SYNs, 1);
});

Deno.test("the example of README.md drops ARP, and answers pings by the port that they came by", async () => {
  const given = [frame.arp(), frame.icmpEcho(), frame.udp()];
  const { frames } = await tryFunction(await exampleOf("README.md"), given);
  deepEqual(frames.map(({ what, port }) => [what, port]), [
    ...[["dropped", undefined], ["sent", 0], ["sent", 1]],
  ]);
});

Deno.test("app/guest/README.md names all that a file of a function may export", () => {
  const text = readSource("app/guest/README.md");
  for (const name of ["default", "setup", "options", "originates", "answers", "save", "restore"]) {
    ok(new RegExp(`^\\| .*\`${name}\\b`, "m").test(text) || text.includes(`\`${name}(`), name);
  }
});
