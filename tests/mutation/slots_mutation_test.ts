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
    from: " && n <= this.#most;",
    to: ";",
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
    what: "the shim copies no slots behind the wrap",
    file: "shim/atomic.c",
    from: "copy_slots(slots, own + first, words - first, reads);",
    to: "copy_slots(slots, own + first, words - words, reads);",
    tests: PROPERTIES,
  },
  {
    what: "the shim copies more than the ring has",
    file: "shim/atomic.c",
    from: " || words > size)",
    to: ")",
    tests: ["ffi/shim_atomic_test.ts"],
  },
  {
    what: "the shim publishes one slot more than it has copied",
    file: "shim/atomic.c",
    from: "__atomic_store_n(at, turn + n, __ATOMIC_RELEASE);",
    to: "__atomic_store_n(at, turn + n + 1, __ATOMIC_RELEASE);",
    tests: ["ring/spsc_ring_test.ts"],
  },
  {
    what: "the shim publishes whosever turn it is",
    file: "shim/atomic.c",
    from: " || __atomic_load_n(at, __ATOMIC_ACQUIRE) != turn) return 0;",
    to: ") return 0;",
  },
  {
    what: "the shim copies though another has claimed",
    file: "shim/atomic.c",
    from: "    return -EAGAIN;",
    to: "    head = turn;",
    tests: ["ffi/shim_atomic_test.ts"],
  },
  {
    what: "the shim claims one slot less than it copies",
    file: "shim/atomic.c",
    from: "&head, turn + n, 0,",
    to: "&head, turn + n - 1, 0,",
    tests: ["ffi/shim_atomic_test.ts"],
  },
];

testMutations("the copying of bursts", ["ring"], TESTS, MUTATIONS);
