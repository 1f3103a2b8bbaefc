import { type Mutation, testMutations } from "./mutants.ts";

// Shows that the tests of what copies bursts to rings can fail: slots.ts, burst.ts, and the shim's part.

const TESTS = ["ring/slots_test.ts"];
const PROPERTIES = ["ring/ring_property_test.ts"];
const BURSTS = ["ring/burst_test.ts"];

const MUTATIONS: readonly Mutation[] = [
  {
    what: "Slots that are written do not wrap",
    file: "ring/slots.ts",
    from: "copyWords(words, 0, burst, first, count - first);",
    to: "",
  },
  {
    what: "Slots let the shim copy beyond the end of a burst",
    file: "ring/slots.ts",
    from: "&& n <= this.#most) {",
    to: ") {",
    tests: BURSTS,
  },
  {
    what: "Slots that are read do not wrap",
    file: "ring/slots.ts",
    from: "copyWords(burst, first, words, 0, count - first);",
    to: "",
    tests: PROPERTIES,
  },
  {
    what: "Slots call the shim for one element more than is worth it",
    file: "ring/slots.ts",
    from: "n >= this.#least",
    to: "n > this.#least",
  },
  {
    what: "Slots call the shim for words, not elements, that are worth it",
    file: "ring/slots.ts",
    from: "this.#least = WORDS_FOR_SHIM >> this.#shift;",
    to: "this.#least = WORDS_FOR_SHIM;",
  },
  {
    what: "Slots do not let the shim copy a whole burst",
    file: "ring/slots.ts",
    from: "n <= this.#most",
    to: "n < this.#most",
  },
  {
    what: "Slots take a burst's words for its elements",
    file: "ring/slots.ts",
    from: "this.#most = burst.length >> this.#shift;",
    to: "this.#most = burst.length;",
  },
  {
    what: "Slots take each burst for the first one of its memory",
    file: "ring/slots.ts",
    from: "this.#burstWord = place.word;",
    to: "",
  },
  {
    what: "Slots take a burst's word for that of the burst before",
    file: "ring/slots.ts",
    from: "this.#burstWord = place.word;",
    to: "this.#burstWord ||= place.word;",
    tests: PROPERTIES,
  },
  {
    what: "Slots take a burst's memory for that of the bursts before",
    file: "ring/slots.ts",
    from: "this.#route & ~(MAP_MASK << BURST_MAP) | place.map << BURST_MAP;",
    to: "this.#route | place.map << BURST_MAP;",
    tests: PROPERTIES,
  },
  {
    what: "newBurst() gives a word to two",
    file: "ring/burst.ts",
    from: "Math.ceil(words / CACHE_LINE_WORDS) *",
    to: "Math.floor(words / CACHE_LINE_WORDS) *",
    tests: BURSTS,
  },
  {
    what: "newBurst() says that each burst is the first one of its memory",
    file: "ring/burst.ts",
    from: "places.set(burst, { map: memory.map, word });",
    to: "places.set(burst, { map: memory.map, word: 0 });",
    tests: PROPERTIES,
  },
  {
    what: "the shim writes no slots behind the wrap",
    file: "shim/atomic.c",
    from: "copy_words(ring, own + first, rest);",
    to: "",
    tests: PROPERTIES,
  },
  {
    what: "the shim reads no slots behind the wrap",
    file: "shim/atomic.c",
    from: "copy_words(own + first, ring, rest);",
    to: "",
    tests: PROPERTIES,
  },
  {
    what: "the shim copies more than the ring has",
    file: "shim/atomic.c",
    from: " ||\n      words > size)",
    to: ")",
    tests: ["ffi/shim_atomic_test.ts"],
  },
  {
    what: "the shim publishes one slot more than it has copied",
    file: "shim/atomic.c",
    from: "__atomic_store_n(word, turn + n, __ATOMIC_RELEASE);",
    to: "__atomic_store_n(word, turn + n + 1, __ATOMIC_RELEASE);",
    tests: ["ring/spsc_ring_test.ts"],
  },
  {
    what: "the shim publishes whosever turn it is",
    file: "shim/atomic.c",
    from: "if (__atomic_load_n(word, __ATOMIC_ACQUIRE) != turn) return 0;",
    to: "",
  },
];

testMutations("the copying of bursts", ["ring"], TESTS, MUTATIONS);
