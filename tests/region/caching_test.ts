import { deepEqual, doesNotMatch, equal, match, ok } from "node:assert/strict";
import { cachingAdvice, isCached, measureCaching } from "../../app/region/caching.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { pause } from "../kit/wait.ts";

Deno.test("measureCaching() finds ordinary memory cached, again and again", () => {
  using memory = freshMemory(1 << 20);
  for (let i = 0; i < 50; i++) {
    const caching = measureCaching(memory);
    ok(caching.region > 0 && caching.own > 0, JSON.stringify(caching));
    equal(cachingAdvice(caching), undefined, JSON.stringify(caching));
  }
});

Deno.test("measureCaching() finds memory cached while another thread keeps this core and its caches busy", async () => {
  using memory = freshMemory(1 << 20);
  const code = `const words = new Uint32Array(1 << 24);
    const end = performance.now() + 400;
    for (let i = 0; performance.now() < end; i = (i + 1009) & 0xffffff) words[i]++;
    postMessage("done");`;
  const workers = Array.from({ length: navigator.hardwareConcurrency }, () => {
    const url = `data:text/javascript,${encodeURIComponent(code)}`;
    const worker = new Worker(url, { type: "module" });
    return { worker, done: new Promise((resolve) => worker.onmessage = resolve) };
  });
  for (let i = 0; i < 200; i++) {
    const caching = measureCaching(memory);
    equal(isCached(caching), true, JSON.stringify(caching));
    if (i % 20 === 0) await pause(10);
  }
  await Promise.all(workers.map(({ done }) => done));
  for (const { worker } of workers) worker.terminate();
});

Deno.test("measureCaching() changes nothing", () => {
  using memory = freshMemory(1 << 20);
  for (let word = 0; word < 4096; word++) memory.u32[word] = word * 2654435761;
  const before = memory.u8.slice();
  measureCaching(memory);
  deepEqual(memory.u8.slice(), before);
});

Deno.test("measureCaching() takes less than 5 ms of cached memory", () => {
  using memory = freshMemory(1 << 20);
  let shortest = Infinity;
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    measureCaching(memory);
    shortest = Math.min(shortest, performance.now() - start);
  }
  ok(shortest < 5, `${shortest} ms`);
});

for (
  const [what, region, own, cached] of [
    ["as fast as own memory", 0.3, 0.3, true],
    ["slower, as on a busy machine", 0.9, 0.3, true],
    ["slower by emulation", 9, 8, true],
    ["too fast for the clock", 0, 0, true],
    ["as fast as a coarse clock's first tick", 1, 0, true],
    ["uncached on a fast machine", 30, 0.3, false],
    ["uncached", 340, 0.5, false],
    ["trapped, each load of it", 20000, 0.5, false],
  ] as [string, number, number, boolean][]
) {
  Deno.test(`isCached() judges a region that is ${what} as ${cached ? "" : "not "}cached`, () => {
    equal(isCached({ region, own }), cached);
    equal(cachingAdvice({ region, own }) === undefined, cached);
  });
}

Deno.test("cachingAdvice() is one line with the figures, and says where to read on", () => {
  const advice = cachingAdvice({ region: 340.4, own: 3.8 })!;
  match(advice, /^reads of the region take 340 ns each, 90 times as long as of own memory: /);
  match(advice, /app\/vm\/CACHING\.md$/);
  doesNotMatch(advice, /\n/);
});
