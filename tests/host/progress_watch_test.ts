import { deepEqual, equal, match } from "node:assert/strict";
import { TestHost } from "./test_host.ts";

Deno.test("A host says once that an lcore does not come round its loop, and when it goes on", () => {
  using lab = new TestHost({ places: { a: { 0: "p" }, b: { 0: "q" } }, lcores: 2 });
  lab.attach("a0", "b0");
  lab.turns(300);
  deepEqual(lab.log.filter((line) => /lcore/.test(line)), []);
  const [first] = lab.threads.splice(0, 1);
  lab.turns(150);
  deepEqual(lab.log.filter((line) => /lcore/.test(line)), [], "a busy machine may take a while");
  lab.turns(500);
  const said = ["lcore on core 0 stands still: no turn of its loop for 2 s"];
  deepEqual(lab.log.filter((line) => /lcore/.test(line)), said);
  equal(lab.host.isMoving, false, "its watchdog is not fed");
  lab.threads.unshift(first);
  lab.turns(50);
  deepEqual(lab.log.filter((line) => /lcore/.test(line)), [...said, "lcore on core 0 goes on"]);
  equal(lab.host.isMoving, true);
  lab.end();
});

Deno.test("A host without its guests says after 2 s which are missing, once, and how to start one", () => {
  using lab = new TestHost({ places: { a: { 0: "p", 3: "q" } } });
  lab.attach("a0");
  lab.log.length = 0;
  lab.turns(150);
  deepEqual(lab.log, []);
  lab.turns(500);
  equal(lab.log.length, 1);
  match(lab.log[0], /^no guest 3 of a yet: its ports' frames are dropped meanwhile\. Start: /);
  match(
    lab.log[0],
    /culvert guest --region a --guest 3, or a VM: culvert qemu --region a --guest 3/,
  );
  lab.end();
});

Deno.test("A host names no more than four missing guests, and none if all are there", () => {
  const places = Object.fromEntries(
    Array.from({ length: 6 }, (_, i) => [`r${i}`, { 0: `p${i}` }]),
  );
  using lab = new TestHost({ places });
  lab.turns(250);
  equal(lab.log.length, 1);
  match(
    lab.log[0],
    /^no guest 0 of r0, guest 0 of r1, guest 0 of r2, guest 0 of r3 and 2 more yet: /,
  );
  lab.end();

  using full = new TestHost();
  full.attach("r00");
  full.log.length = 0;
  full.turns(500);
  deepEqual(full.log, []);
  full.end();
});
