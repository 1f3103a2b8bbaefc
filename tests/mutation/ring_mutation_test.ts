import { deepEqual, ok } from "node:assert/strict";

// Shows that the tests of the rings can fail: each mutation of app/ring must be noticed by at least
// one of them. The orderings as such, which no run on x86 shows, are taken away in tests/model and
// tests/litmus.

const ROOT = new URL("../../", import.meta.url).pathname;
const STRESS = "mpmc_ring_stress_test.ts";
const TESTS = [
  "mpmc_ring_test.ts",
  "spsc_ring_test.ts",
  "ring_end_test.ts",
  "ring_property_test.ts",
  "named_ring_test.ts",
];

/**
 * What is changed, in which file of app/ring, and which tests are to notice it; {@linkcode TESTS}
 * unless told.
 */
interface Mutation {
  readonly what: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
  readonly tests?: readonly string[];
}

const MUTATIONS: readonly Mutation[] = [
  {
    what: "SpscRing publishes before it copies",
    file: "spsc_ring.ts",
    from: "if (this.#slots.write(this.#producer, burst, n, this.#producerWord)) {",
    to: "shim.shim_store_release(this.#map, this.#producerWord, (this.#producer + n) >>> 0);\n" +
      "if (this.#slots.write(this.#producer, burst, n, this.#producerWord)) {",
  },
  {
    what: "SpscRing gives slots back before it has read them",
    file: "spsc_ring.ts",
    from: "if (this.#slots.read(this.#consumer, burst, n, this.#consumerWord)) {",
    to: "shim.shim_store_release(this.#map, this.#consumerWord, (this.#consumer + n) >>> 0);\n" +
      "if (this.#slots.read(this.#consumer, burst, n, this.#consumerWord)) {",
  },
  {
    what: "SpscRing believes an impossible position",
    file: "spsc_ring.ts",
    from: "if (used > this.capacity) this.violations++;\n    else this.#producer",
    to: "this.#producer",
  },
  {
    what: "SpscRing never loads the consumer's position again",
    file: "spsc_ring.ts",
    from: "return this.capacity - this.#reloadConsumer() >= count ? count : 0;",
    to: "return 0;",
  },
  {
    what: "MpmcRing publishes before it copies",
    file: "mpmc_ring.ts",
    from: "if (!this.#slots.write(head, elements, n, tailWord)) this.#producer.finish(n);",
    to: "this.#producer.finish(n);\n    this.#slots.write(head, elements, n, tailWord);",
  },
  {
    what: "MpmcRing gives slots back before it has read them",
    file: "mpmc_ring.ts",
    from: "if (!this.#slots.read(head, elements, n, tailWord)) this.#consumer.finish(n);",
    to: "this.#consumer.finish(n);\n    this.#slots.read(head, elements, n, tailWord);",
  },
  {
    what: "MultiEnd does not wait for those before it",
    file: "multi_end.ts",
    from:
      "shim.shim_store_in_turn(this.#map, this.tailWord, head >>> 0, next, SPINS_BEFORE_YIELD) === 0",
    to: "(shim.shim_store_release(this.#map, this.tailWord, next), false)",
  },
  {
    what: "MultiEnd takes a swap that failed for one that did not",
    file: "multi_end.ts",
    from: "if (found === head) {",
    to: "if (found !== head || found === head) {",
    tests: [STRESS],
  },
  {
    what: "OppositeTail never loads the tail again when it is old",
    file: "ring_end.ts",
    from: "if (wanted <= known && known <= this.#capacity) return known;",
    to: "if (wanted <= known) return known;",
  },
  {
    what: "HtsEnd lets others claim while one is at work",
    file: "hts_end.ts",
    from: "if (this.#move(at, at, (at + n) | 0, at)) {",
    to: "if (this.#move(at, at, (at + n) | 0, at) || at === at) {",
    tests: [STRESS],
  },
  {
    what: "HtsEnd does not give back what is not used",
    file: "hts_end.ts",
    from: "this.#move((this.head + this.#claimed) | 0, this.head, next, next);",
    to:
      "this.#move((this.head + this.#claimed) | 0, this.head, (this.head + this.#claimed) | 0, next);",
  },
  {
    what: "RtsEnd moves the tail though others are at work",
    file: "rts_end.ts",
    from: "count === begun ? head : tail",
    to: "head",
  },
  {
    what: "RtsEnd forgets to count",
    file: "rts_end.ts",
    from: "(head + n) | 0, (begun + 1) | 0)",
    to: "(head + n) | 0, begun)",
  },
  {
    what: "Slots do not wrap",
    file: "slots.ts",
    from: "copyWords(words, 0, burst, toEnd, count - toEnd);",
    to: "",
  },
  {
    what: "Slots let the shim copy beyond the end of a burst",
    file: "slots.ts",
    from:
      "if (count >= WORDS_FOR_SHIM && count <= burst.length) {\n      return shim.shim_slots_read",
    to: "if (count >= WORDS_FOR_SHIM) {\n      return shim.shim_slots_read",
  },
  {
    what: "addRing() does not tell the ring's shape",
    file: "named_ring.ts",
    from: 'if (options.kind === "mpmc") writeShape',
    to: 'if (options.kind !== "mpmc") writeShape',
  },
];

/** A copy of the project where app/ring can be changed; all else is linked. */
async function copyProject(): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "culvert-mutation-" });
  await Deno.mkdir(`${copy}/app/ring`, { recursive: true });
  await Deno.mkdir(`${copy}/tests`);
  for (const name of ["ffi", "shim", ".cache", "deno.json", "deno.lock", "app/memory"]) {
    await Deno.symlink(ROOT + name, `${copy}/${name}`);
  }
  for (const name of ["tests/ring", "tests/ffi"]) {
    await Deno.symlink(ROOT + name, `${copy}/${name}`);
  }
  for (const { name } of Deno.readDirSync(`${ROOT}app/ring`)) {
    await Deno.copyFile(`${ROOT}app/ring/${name}`, `${copy}/app/ring/${name}`);
  }
  return copy;
}

/** Whether the tests pass over a copy. */
async function pass(copy: string, tests: readonly string[]): Promise<boolean> {
  const { success } = await new Deno.Command("timeout", {
    args: ["-k", "1", "60", Deno.execPath(), "test", "-A", "--no-check", "--fail-fast"]
      .concat(tests.map((test) => `tests/ring/${test}`)),
    cwd: copy,
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/** Run `check` over a copy in which `mutation`, if there is one, has been made. */
async function over<T>(
  mutation: Mutation | undefined,
  check: (copy: string) => Promise<T>,
): Promise<T> {
  const copy = await copyProject();
  try {
    if (mutation) {
      const path = `${copy}/app/ring/${mutation.file}`;
      const text = await Deno.readTextFile(path);
      ok(text.includes(mutation.from), `${mutation.file} has no "${mutation.from}": say it anew`);
      await Deno.writeTextFile(path, text.replace(mutation.from, () => mutation.to));
    }
    return await check(copy);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

Deno.test("the tests of the rings pass over a copy that nothing was changed in", async () => {
  ok(await over(undefined, (copy) => pass(copy, [...TESTS, STRESS])));
});

Deno.test("the tests of the rings notice each mutation", async () => {
  const unnoticed: string[] = [];
  const queue = [...MUTATIONS];
  const worker = async () => {
    for (let next; (next = queue.shift());) {
      const mutation = next;
      if (await over(mutation, (copy) => pass(copy, mutation.tests ?? TESTS))) {
        unnoticed.push(mutation.what);
      }
    }
  };
  await Promise.all([worker(), worker()]);
  deepEqual(unnoticed, []);
});
