import type { Table } from "./mutants.ts";

const BURST = ["ring/burst_test.ts"];
const COPY = "const from = this.#word + (at << this.#shift);\n    const turn = position >>> 0;\n" +
  "    return shim.shim_slots_copy(this.#route, ";
const CLAIM = COPY.replace("this.#route", "this.#route | CLAIM");
const MEMPOOL = ["mempool/mempool_test.ts"];
const SHIM = ["ffi/shim_atomic_test.ts"];
const SHIM_BURST = ["ffi/shim_burst_test.ts"];
const PACKET_RING = ["ffi/shim_packet_ring_test.ts"];
const KERNEL_BURST = ["port/kernel_burst_test.ts"];

/** Bursts, what copies them to rings, and the shim's part in it. */
export const BURSTS: Table = {
  what: "bursts",
  tests: ["ring/slots_test.ts"],
  mutations: [
    {
      what: "SlotsCopy takes a place in a burst for a word",
      file: "ring/slots.ts",
      from: COPY,
      to: COPY.replace("at << this.#shift", "at"),
    },
    {
      what: "a claim leaves out the place in the burst",
      file: "ring/slots.ts",
      from: CLAIM,
      to: CLAIM.replace(" + (at << this.#shift)", ""),
      tests: ["ring/ring_property_test.ts", "ring/mpmc_ring_test.ts"],
    },
    {
      what: "SlotsCopy takes each burst for the first one of its memory",
      file: "ring/slots.ts",
      from: "this.#word = burst.word;",
      to: "",
    },
    {
      what: "SlotsCopy takes a burst's memory for that of the bursts before",
      file: "ring/slots.ts",
      from: "this.#route & ~(MAP_MASK << BURST_MAP) | burst.map",
      to: "this.#route | burst.map",
    },
    {
      what: "SlotsCopy takes a burst for as long as the one before",
      file: "ring/slots.ts",
      from: "this.#capacity = burst.capacity;",
      to: "this.#capacity ||= burst.capacity;",
      tests: BURST,
    },
    {
      what: "SlotsCopy goes on with the burst before",
      file: "ring/slots.ts",
      from: "if (burst !== this.#burst) this.learn(burst);",
      to: "if (this.#burst === undefined) this.learn(burst);",
    },
    {
      what: "SlotsCopy lets the shim copy beyond the end of a burst",
      file: "ring/slots.ts",
      from: "count > this.#capacity - at",
      to: "count > this.#capacity - at + 1",
      tests: BURST,
    },
    {
      what: "SlotsCopy lets the shim copy from before the start of a burst",
      file: "ring/slots.ts",
      from: "if (at < 0 || count >",
      to: "if (count >",
      tests: BURST,
    },
    {
      what: "SlotsCopy does not look at the size of elements",
      file: "ring/slots.ts",
      from: "checkBurst(burst, 1 << this.#shift, 0, 0);",
      to: "",
      tests: BURST,
    },
    {
      what: "a mempool takes more descriptors than a burst has",
      file: "ring/burst.ts",
      from: "(at + count) * 2 > words.length",
      to: "(at + count) * 2 > words.length + 2",
      tests: MEMPOOL,
    },
    {
      what: "a mempool takes descriptors from before a burst's start",
      file: "ring/burst.ts",
      from: "at < 0 || (at",
      to: "(at",
      tests: MEMPOOL,
    },
    {
      what: "a mempool takes elements of another size",
      file: "ring/burst.ts",
      from: "wordsPerElement === DESCRIPTOR.WORDS ? capacity : 0;",
      to: "capacity;",
      tests: MEMPOOL,
    },
    {
      what: "a ring takes elements of another size",
      file: "ring/burst.ts",
      from: "burst.wordsPerElement !== width || ",
      to: "",
      tests: BURST,
    },
    {
      what: "Burst.of() gives a word to two bursts",
      file: "ring/burst.ts",
      from: "Math.ceil(words / CACHE_LINE_WORDS) *",
      to: "Math.floor(words / CACHE_LINE_WORDS) *",
      tests: BURST,
    },
    {
      what: "Burst.of() says that each burst is the first one of its memory",
      file: "ring/burst.ts",
      from: "memory.map, word);",
      to: "memory.map, 0);",
    },
    {
      what: "the shim copies no slots behind the wrap",
      file: "shim/atomic.c",
      from: "copy_slots(slots, own + first, words - first, reads);",
      to: "copy_slots(slots, own + first, words - words, reads);",
    },
    {
      what: "the shim copies more than the ring has",
      file: "shim/atomic.c",
      from: " ||\n      words > size)",
      to: ")",
      tests: SHIM,
    },
    {
      what: "the shim publishes one slot more than it has copied",
      file: "shim/atomic.c",
      from: "__atomic_store_n(at, turn + n, __ATOMIC_RELEASE);",
      to: "__atomic_store_n(at, turn + n + 1, __ATOMIC_RELEASE);",
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
      tests: SHIM,
    },
    {
      what: "the shim claims one slot less than it copies",
      file: "shim/atomic.c",
      from: "&head, turn + n, 0,",
      to: "&head, turn + n - 1, 0,",
      tests: SHIM,
    },
    {
      what: "the shim receives into a room that is too small",
      file: "shim/burst.h",
      from: "return bytes <= m->bytes ?",
      to: "return bytes ?",
      tests: SHIM_BURST,
    },
    {
      what: "the shim takes descriptors from beyond a burst's memory",
      file: "shim/shim.h",
      from: "m->base && end <= m->bytes ?",
      to: "m->base && end ?",
      tests: SHIM_BURST,
    },
    {
      what: "the shim keeps a slot of a packet socket's ring",
      file: "shim/burst.c",
      from: "__atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);",
      to: "",
      tests: PACKET_RING,
    },
    {
      what: "the shim has a frame that is too long for a ring's slot without a long mbuf",
      file: "shim/burst.c",
      from: "if (longs && i >= longs && slot->tp_snaplen < slot->tp_len) break;",
      to: "",
      tests: PACKET_RING,
    },
    {
      what: "the shim takes the beginning of a frame for the whole of it",
      file: "shim/burst.c",
      from: "if (!(slot->tp_status & TP_STATUS_COPY)) return RX_LOST;",
      to: "if (!(slot->tp_status & TP_STATUS_COPY)) return slot->tp_snaplen;",
      tests: PACKET_RING,
    },
    {
      what: "a port hands out a slot into which no frame came",
      file: "port/rx_slots.ts",
      from: "if (length < NO_FRAME) return false;",
      to: "if (length <= LOST) return false;",
      tests: KERNEL_BURST,
    },
    {
      what: "a port counts a frame as sent that was refused among others",
      file: "port/kernel_port.ts",
      from: "if (isRefused) this.#drop(i, reason);",
      to: "if (isRefused && i < 0) this.#drop(i, reason);",
      tests: KERNEL_BURST,
    },
  ],
};
