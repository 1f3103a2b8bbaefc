import { deepEqual, equal, rejects } from "node:assert/strict";
import type { Functions } from "../../app/guest/function/load.ts";
import { SpareThreads } from "../../app/guest/spare_threads.ts";
import { preparationOf } from "./guest_lab.ts";

const LCORE = new URL("../../app/guest/lcore_worker.ts", import.meta.url);

Deno.test("SpareThreads.take() gives those that provide() has made, which load functions then", async () => {
  const spares = new SpareThreads(LCORE, [1, 0], () => {});
  spares.provide();
  spares.provide();
  const { trial, lcores } = spares.take();
  deepEqual([trial, ...lcores].map(({ core }) => core), [1, 1, 0]);
  spares.close(); // not of what was taken
  for (const thread of [trial, ...lcores]) {
    const { handles } = await thread.prepare(preparationOf("io")).ready as Functions;
    equal(handles[0].name, "io");
    thread.close();
  }
});

Deno.test("SpareThreads.take() makes threads if there are none; one that cannot load says why", async () => {
  const url = new URL("data:text/javascript,throw new Error('no shim')");
  const { trial, lcores } = new SpareThreads(url, [0], () => {}).take();
  equal(lcores.length, 1);
  for (const thread of [trial, ...lcores]) {
    await rejects(thread.ready, { name: "CulvertError", message: /no shim$/ });
    thread.close();
  }
});
