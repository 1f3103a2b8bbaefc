import type { Build, Mutation } from "./programs.ts";

/** A program that finds nothing wrong in the shim. */
export interface Check {
  /** What it is. */
  readonly build: Build;
  /** Its arguments before the seconds. */
  readonly args: readonly string[];
}

/** A change that a program must notice. */
export interface Control extends Check {
  /** What is missing. */
  readonly without: string;
  /** What it says then. */
  readonly notices: RegExp;
}

const RACE = /ThreadSanitizer: data race/;
const WRONG = /, [1-9]\d* wrong/;

/** The MP/MC ring that claims, copies and publishes in the shim. */
const SLOTS_BY_SHIM: Build = {
  program: "mpmc_ring",
  sanitizer: "thread",
  defines: ["SLOTS_BY_SHIM=1"],
};

/** What is checked as it is. */
export const CHECKS: readonly Check[] = [
  ...["message_passing", "lock", "arrival", "additions", "maps"].map((test): Check => ({
    build: { program: "atomics", sanitizer: "thread" },
    args: [test],
  })),
  ...["store_buffering", "store_buffering_fenced_load", "additions"].map((test): Check => ({
    build: { program: "atomics" },
    args: [test],
  })),
  { build: { program: "spsc_ring", sanitizer: "thread" }, args: [] },
  { build: { program: "mpmc_ring", sanitizer: "thread" }, args: [] },
  { build: { program: "hts_ring", sanitizer: "thread" }, args: [] },
  { build: { program: "rts_ring", sanitizer: "thread" }, args: [] },
  { build: SLOTS_BY_SHIM, args: [] },
  { build: { program: "atomics", sanitizer: "address" }, args: ["lock"] },
  { build: { program: "mpmc_ring", sanitizer: "address" }, args: [] },
  ...[1, 2, 3].map((seed): Check => ({
    build: { program: "hostile", sanitizer: "address" },
    args: [String(seed)],
  })),
];

/** The shim's `name` with an ordering that is too weak. */
function weaker(name: string, from: string, to = "__ATOMIC_RELAXED"): Mutation {
  return { in: name, from: `__ATOMIC_${from}`, to };
}

/** Compare, then set: two steps. */
const SPLIT_SWAP: Mutation = {
  in: "shim_compare_and_swap",
  from: "return at && __atomic_compare_exchange_n(at, &expected, desired, 0, __ATOMIC_SEQ_CST,\n" +
    " ".repeat(43) + "__ATOMIC_SEQ_CST);",
  to: "volatile uint32_t *v = at; return v && *v == expected && ((*v = desired), 1);",
};

/** Both words compared, then set: two steps. */
const SPLIT_PAIR: Mutation = {
  in: "shim_compare_and_swap_pair",
  from:
    "return __atomic_compare_exchange_n((uint64_t *)(void *)(at - 1), &expected, desired, 0,\n" +
    " ".repeat(37) + "__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);",
  to: "volatile uint64_t *v = (uint64_t *)(void *)(at - 1);" +
    " return *v == expected && ((*v = desired), 1);",
};

/** The head compared, then set: two steps. */
const SPLIT_CLAIM: Mutation = {
  in: "shim_slots_copy",
  from: "!__atomic_compare_exchange_n(base + (tail - 1), &head, turn + n, 0, __ATOMIC_SEQ_CST,\n" +
    " ".repeat(45) + "__ATOMIC_SEQ_CST))",
  to: "(*(volatile uint32_t *)(base + (tail - 1)) != head ||" +
    " ((*(volatile uint32_t *)(base + (tail - 1)) = turn + n), 0)))",
};

/** Load, then store: two steps. */
const SPLIT_ADD: Mutation = {
  in: "shim_fetch_add",
  from: "return __atomic_fetch_add(word_at(map, word, &zero), addend, __ATOMIC_SEQ_CST);",
  to: "volatile uint32_t *v = word_at(map, word, &zero); uint32_t was = *v; *v = was + addend;" +
    " return was;",
};

function race(test: string, mutation: Mutation): Control {
  return {
    build: { program: "atomics", sanitizer: "thread", mutation },
    args: [test],
    without: `${mutation.in}'s ${mutation.from}`,
    notices: RACE,
  };
}

function outcome(test: string, without: string, mutation: Mutation): Control {
  return { build: { program: "atomics", mutation }, args: [test], without, notices: WRONG };
}

function edges(program: string, names: readonly string[]): Control[] {
  return names.map((name) => ({
    build: { program, sanitizer: "thread", defines: [`${name}=0`] },
    args: [],
    without: name,
    notices: RACE,
  }));
}

/** A change of the pair's swap that a ring in one of the modes that use it must notice. */
function pairSwap(program: string, without: string, mutation: Mutation): Control {
  return { build: { program, sanitizer: "thread", mutation }, args: [], without, notices: RACE };
}

function inShim(name: string, from: string): Control {
  const mutation = weaker(name, from);
  const without = `${name}'s __ATOMIC_${from}`;
  return { build: { ...SLOTS_BY_SHIM, mutation }, args: [], without, notices: RACE };
}

function unchecked(without: string, mutation: Mutation): Control {
  return {
    build: { program: "hostile", sanitizer: "address", mutation },
    args: ["1"],
    without,
    notices: /AddressSanitizer|runtime error/,
  };
}

/**
 * What the programs must notice. ThreadSanitizer knows acquire and release as C does, whatever the processor
 * makes of them; it does not know fences, so of these the outcome is counted that they forbid, which
 * x86 has often enough. C, H and, in RTS mode, T and N are left to the model (tests/model): no race
 * follows from them unless loads are in fact reordered.
 */
export const CONTROLS: readonly Control[] = [
  race("message_passing", weaker("shim_load_acquire", "ACQUIRE")),
  race("message_passing", weaker("shim_store_release", "RELEASE")),
  race("lock", weaker("shim_store_release", "RELEASE")),
  race("lock", weaker("shim_compare_and_swap", "SEQ_CST")),
  race("arrival", weaker("shim_fetch_add", "SEQ_CST")),
  race("maps", weaker("take_number", "ACQUIRE")),
  race("maps", weaker("shim_unmap", "RELEASE")),
  outcome("additions", "one step in shim_compare_and_swap", SPLIT_SWAP),
  outcome("additions", "one step in shim_fetch_add", SPLIT_ADD),
  outcome(
    "store_buffering",
    "the fence of shim_full_fence",
    weaker("shim_full_fence", "SEQ_CST", "__ATOMIC_ACQ_REL"),
  ),
  outcome(
    "store_buffering_fenced_load",
    "the fence of shim_fenced_load",
    weaker("shim_fenced_load", "SEQ_CST", "__ATOMIC_ACQ_REL"),
  ),
  ...edges("spsc_ring", ["S1", "L1", "S2", "L2"]),
  ...edges("mpmc_ring", ["S1", "L1", "S2", "L2", "T1", "T2", "WAIT"]),
  ...edges("hts_ring", ["S1", "L1", "S2", "L2", "T1", "T2"]),
  ...edges("rts_ring", ["L1", "L2", "COUNT"]),
  pairSwap("rts_ring", "the pair swap's ordering", weaker("shim_compare_and_swap_pair", "SEQ_CST")),
  pairSwap("rts_ring", "one step in shim_compare_and_swap_pair", SPLIT_PAIR),
  pairSwap("hts_ring", "one step in shim_compare_and_swap_pair", SPLIT_PAIR),
  inShim("publish", "RELEASE"),
  inShim("publish", "ACQUIRE"),
  {
    build: { ...SLOTS_BY_SHIM, mutation: SPLIT_CLAIM },
    args: [],
    without: "one step in its claim",
    notices: RACE,
  },
  inShim("shim_store_in_turn", "RELEASE"),
  inShim("shim_store_in_turn", "ACQUIRE"),
  unchecked("the bounds of a frame", {
    in: "shim.h",
    from: "return 0;",
    to: "(void)0;",
  }),
  unchecked("the bounds of a word", {
    in: "word_at",
    from: "(uint64_t)word * 4 + 4 <= m->bytes",
    to: "m->bytes",
  }),
  unchecked("the bounds of slots", {
    in: "shim_slots_copy",
    from: "((uint64_t)slots + size) * 4 > map->bytes ||",
    to: "",
  }),
  unchecked("the bounds of what is copied to slots", {
    in: "shim_slots_copy",
    from: "(burst + words) * 4 > own_map->bytes ||",
    to: "",
  }),
  unchecked("the bounds of the position that slots are published by", {
    in: "publish",
    from: "(uint64_t)word * 4 >= map->bytes ||",
    to: "",
  }),
  unchecked("the bounds of the position that slots are claimed by", {
    in: "shim_slots_copy",
    from: "if (claims && (uint64_t)(tail - 1) * 4 >= map->bytes) return -EFAULT;",
    to: "",
  }),
  unchecked("the limit of a burst", {
    in: "shim_packet_rx",
    from: "if (count > SHIM_BURST) return -EINVAL;",
    to: "",
  }),
  unchecked("the limit of a poll", {
    in: "shim_poll",
    from: "if (count > SHIM_POLL) return -EINVAL;",
    to: "",
  }),
  unchecked("the limit of a path", {
    in: "open_socket",
    from: "if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;",
    to: "",
  }),
];
