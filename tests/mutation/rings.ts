import type { Table } from "./mutants.ts";

/** app/ring: positions, ends, modes. */
export const RINGS: Table = {
  what: "rings",
  tests: [
    "ring/mpmc_ring_test.ts",
    "ring/spsc_ring_test.ts",
    "ring/spsc_positions_test.ts",
    "ring/spsc_property_test.ts",
    "ring/ring_end_test.ts",
    "ring/preempted_end_test.ts",
    "ring/ring_property_test.ts",
    "ring/burst_test.ts",
  ],
  mutations: [
    {
      what: "SpscRing believes an impossible position",
      file: "ring/spsc_ring.ts",
      from: "if (used > this.capacity) this.violations++;\n    else this.#producer",
      to: "this.#producer",
    },
    {
      what: "SpscRing never loads the consumer's position again",
      file: "ring/spsc_ring.ts",
      from: "this.used <= most || this.reloadConsumer() <= most",
      to: "this.used <= most",
    },
    {
      what: "SpscRing forgets what the shim has published",
      file: "ring/spsc_ring.ts",
      from: "else this.#producer = (this.#producer + n) | 0;",
      to: "",
    },
    {
      what: "an end leaves it to others to publish what the shim could not",
      file: "ring/ring_end.ts",
      from: "if (n > 0 && !slots.copy(end.head, n, at, end.tailWord)) end.finish(n);",
      to: "if (n > 0) slots.copy(end.head, n, at, end.tailWord);",
    },
    {
      what: "MultiEnd does not wait for those before it",
      file: "ring/multi_end.ts",
      from:
        "shim.shim_store_in_turn(this.#map, this.tailWord, head >>> 0, next, SPINS_BEFORE_YIELD) === 0",
      to: "(shim.shim_store_release(this.#map, this.tailWord, next), false)",
    },
    {
      what: "MultiEnd takes a swap that failed for one that did not",
      file: "ring/multi_end.ts",
      from: ": this.swapHead(head, n);",
      to: ": (this.swapHead(head, n), head);",
      tests: ["ring/preempted_end_test.ts"], // others would wait for ever
    },
    {
      what: "OppositeTail never loads the tail again when it is old",
      file: "ring/ring_end.ts",
      from: "wanted <= known && known <= this.#capacity ? known",
      to: "wanted <= known ? known",
    },
    {
      what: "MultiEnd trusts its copy of the opposite tail behind a head that others moved",
      file: "ring/multi_end.ts",
      from: "this.#opposite.reload(); // R1, R2: other threads have moved the head",
      to: "",
    },
    {
      what: "MultiEnd takes a move that was not made for one that was",
      file: "ring/multi_end.ts",
      from: "if (moved < 0) {",
      to: "if (moved < -99) {",
    },
    {
      what: "MultiEnd forgets where it left the head",
      file: "ring/multi_end.ts",
      from: "else this.head = (this.head + n) | 0;",
      to: "",
    },
    {
      what: "MultiEnd leaves it to others to publish what the shim has copied",
      file: "ring/multi_end.ts",
      from: "if (moved === 0) this.finish(n);",
      to: "if (moved === 0);",
    },
    {
      what: "HtsEnd trusts an opposite tail that it loaded before the head",
      file: "ring/hts_end.ts",
      from: "this.#opposite.reload(); // R1, R2: other threads may have moved the head since",
      to: "",
    },
    {
      what: "RtsEnd trusts its copy of the opposite tail behind a head that others moved",
      file: "ring/rts_end.ts",
      from: "this.#opposite.reload(); // other threads have moved",
      to: "// other threads have moved",
    },
    {
      what: "HtsEnd lets others claim while one is at work",
      file: "ring/hts_end.ts",
      from: "if (moved === 1) {",
      to: "if (moved === moved) {",
    },
    {
      what: "HtsEnd does not give back what is not used",
      file: "ring/hts_end.ts",
      from: "swapPair(this.#map, this.#headWord, head, this.head, next, next);",
      to: "swapPair(this.#map, this.#headWord, head, this.head, head, next);",
    },
    {
      what: "RtsEnd moves the tail though others are at work",
      file: "ring/rts_end.ts",
      from: "count === begun ? head : tail",
      to: "head",
    },
    {
      what: "RtsEnd forgets to count",
      file: "ring/rts_end.ts",
      from: "(head + n) | 0, (begun + 1) | 0)",
      to: "(head + n) | 0, begun)",
    },
    {
      what: "addRing() does not tell the ring's shape",
      file: "toolkit/named_ring.ts",
      from: 'if (options.kind === "mpmc") writeShape',
      to: 'if (options.kind !== "mpmc") writeShape',
      tests: ["toolkit/named_ring_test.ts"],
    },
  ],
};
