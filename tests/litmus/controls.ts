import type { Build, Mutation } from "./programs.ts";

/** A program that finds nothing wrong in the shim. */
export interface Check {
  readonly build: Build;
  /** The program's arguments before the seconds. */
  readonly args: readonly string[];
}

/** A change of the shim that a program must notice. */
export interface Control extends Check {
  /** What the change takes away. */
  readonly without: string;
  /** What the program prints then. */
  readonly notices: RegExp;
}

const RACE = /ThreadSanitizer: data race/;
const WRONG = /, [1-9]\d* wrong/;
const SANITIZED = /AddressSanitizer|runtime error/;

const SLOTS: Build = { program: "slots", sanitizer: "thread" };
const KEEPER: Build = { program: "keeper", sanitizer: "address" };

function atomics(sanitizer: Build["sanitizer"], tests: readonly string[]): Check[] {
  return tests.map((test) => ({ build: { program: "atomics", sanitizer }, args: [test] }));
}

/** The programs that must find nothing wrong in the shim as it is. */
export const CHECKS: readonly Check[] = [
  ...atomics("thread", ["message_passing", "lock", "pair_lock", "arrival", "additions", "maps"]),
  ...atomics(undefined, ["store_buffering", "store_buffering_fenced_load", "additions"]),
  ...atomics("address", ["lock"]),
  { build: SLOTS, args: [] },
  { build: { program: "slots", sanitizer: "address" }, args: [] },
  { build: KEEPER, args: [] },
  ...[1, 2, 3].map((seed): Check => ({
    build: { program: "hostile", sanitizer: "address" },
    args: [String(seed)],
  })),
];

/** The function `name` of the shim with an ordering that is too weak. */
function weaker(name: string, from: string, to = "__ATOMIC_RELAXED"): Mutation {
  return { in: name, from: `__ATOMIC_${from}`, to };
}

/** Compares, then sets: two steps. */
const SPLIT_SWAP: Mutation = {
  in: "shim_compare_and_swap",
  from: "return at && __atomic_compare_exchange_n(at, &expected, desired, 0, __ATOMIC_SEQ_CST,\n" +
    " ".repeat(43) + "__ATOMIC_SEQ_CST);",
  to: "volatile uint32_t *v = at; return v && *v == expected && ((*v = desired), 1);",
};

/** Compares both words, then sets them: two steps. */
const SPLIT_PAIR: Mutation = {
  in: "shim_compare_and_swap_pair",
  from:
    "return __atomic_compare_exchange_n((uint64_t *)(void *)(at - 1), &expected, desired, 0,\n" +
    " ".repeat(37) + "__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);",
  to: "volatile uint64_t *v = (uint64_t *)(void *)(at - 1);" +
    " return *v == expected && ((*v = desired), 1);",
};

/** Compares the head, then sets it: two steps. */
const SPLIT_CLAIM: Mutation = {
  in: "shim_slots_copy",
  from: "!__atomic_compare_exchange_n(base + (tail - 1), &head, turn + n, 0,\n" +
    " ".repeat(45) + "__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))",
  to: "(*(volatile uint32_t *)(base + (tail - 1)) != head ||" +
    " ((*(volatile uint32_t *)(base + (tail - 1)) = turn + n), 0)))",
};

/** Publishes slots, then copies them. */
const EARLY_PUBLICATION: Mutation = {
  in: "shim_slots_copy",
  from: "if (words > size - at) copy_round(base + slots, size, size - at, own, words, reads);\n" +
    "  else copy_slots(base + slots + at, own, words, reads);\n" +
    "  return publish(map, tail, turn, n);",
  to: "int32_t is_published = publish(map, tail, turn, n);\n" +
    "  if (words > size - at) copy_round(base + slots, size, size - at, own, words, reads);\n" +
    "  else copy_slots(base + slots + at, own, words, reads);\n" +
    "  return is_published;",
};

/** Loads, then stores: two steps. */
const SPLIT_ADD: Mutation = {
  in: "shim_fetch_add",
  from: "return __atomic_fetch_add(word_at(map, word, &zero), addend, __ATOMIC_SEQ_CST);",
  to: "volatile uint32_t *v = word_at(map, word, &zero); uint32_t was = *v; *v = was + addend;" +
    " return was;",
};

/** A change that is a data race in a test of atomics.c. */
function race(test: string, mutation: Mutation, without?: string): Control {
  return {
    build: { program: "atomics", sanitizer: "thread", mutation },
    args: [test],
    without: without ?? `${mutation.in}'s ${mutation.from}`,
    notices: RACE,
  };
}

/** A change after which a test of atomics.c counts what must not happen. */
function outcome(test: string, without: string, mutation: Mutation): Control {
  return { build: { program: "atomics", mutation }, args: [test], without, notices: WRONG };
}

/** A change that is a data race on the slots of a ring. */
function inSlots(mutation: Mutation, without = `${mutation.in}'s ${mutation.from}`): Control {
  return { build: { ...SLOTS, mutation }, args: [], without, notices: RACE };
}

/** A check of arguments that is left out. */
function unchecked(without: string, mutation: Mutation): Control {
  return {
    build: { program: "hostile", sanitizer: "address", mutation },
    args: ["1"],
    without,
    notices: SANITIZED,
  };
}

/**
 * What the programs must notice, by kind. ThreadSanitizer knows acquire and release as C does,
 * whatever the processor makes of them. It does not know fences: there the program counts the
 * outcome that the fence forbids, which x86 has often enough.
 */
export const CONTROLS: Readonly<Record<string, readonly Control[]>> = {
  races: [
    race("message_passing", weaker("shim_load_acquire", "ACQUIRE")),
    race("message_passing", weaker("shim_store_release", "RELEASE")),
    race("lock", weaker("shim_store_release", "RELEASE")),
    race("lock", weaker("shim_compare_and_swap", "SEQ_CST")),
    race("pair_lock", weaker("shim_compare_and_swap_pair", "SEQ_CST")),
    race("pair_lock", SPLIT_PAIR, "one step in shim_compare_and_swap_pair"),
    race("arrival", weaker("shim_fetch_add", "SEQ_CST")),
    race("maps", weaker("take_number", "ACQUIRE")),
    race("maps", weaker("shim_unmap", "RELEASE")),
  ],
  outcomes: [
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
    outcome("additions", "one step in shim_compare_and_swap", SPLIT_SWAP),
    outcome("additions", "one step in shim_fetch_add", SPLIT_ADD),
  ],
  slots: [
    inSlots(weaker("publish", "RELEASE")),
    inSlots(weaker("publish", "ACQUIRE")),
    inSlots(SPLIT_CLAIM, "one step in shim_slots_copy's claim"),
    inSlots(EARLY_PUBLICATION, "the copy before the publication"),
    inSlots(weaker("shim_store_in_turn", "RELEASE")),
    inSlots(weaker("shim_store_in_turn", "ACQUIRE")),
  ],
  bounds: [
    unchecked("the bounds of a frame", { in: "shim.h", from: "return 0;", to: "(void)0;" }),
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
    unchecked("the bounds of a burst", {
      in: "shim_slots_copy",
      from: "(burst + words) * 4 > own_map->bytes ||",
      to: "",
    }),
    unchecked("the bounds of the tail that publishes slots", {
      in: "publish",
      from: "(uint64_t)word * 4 >= map->bytes ||",
      to: "",
    }),
    unchecked("the bounds of the head that claims slots", {
      in: "shim_slots_copy",
      from: "if (claims && (uint64_t)(tail - 1) * 4 >= map->bytes) return -EFAULT;",
      to: "",
    }),
    unchecked("the bounds of descriptors", {
      in: "shim.h",
      from: "m->base && end <= m->bytes ?",
      to: "m->base && end ?",
    }),
    unchecked("the bounds of bytes that are summed", {
      in: "shim_sum",
      from: "(uint64_t)from + count > source->bytes ||",
      to: "",
    }),
    unchecked("the bounds of what is asked of BPF", {
      in: "shim_bpf",
      from: "bytes > sizeof attr ||",
      to: "",
    }),
    unchecked("the limit of a burst", {
      in: "shim_packet_tx",
      from: "if (count > SHIM_BURST) return -EINVAL;",
      to: "",
    }),
    unchecked("the limit of a poll", {
      in: "shim_poll",
      from: "if (count > SHIM_POLL) return -EINVAL;",
      to: "",
    }),
    {
      build: {
        ...KEEPER,
        mutation: {
          in: "next_request",
          from: "CMSG_LEN(DESCRIPTORS * sizeof(int))",
          to: "sizeof control.space",
        },
      },
      args: [],
      without: "the limit of descriptors",
      notices: WRONG,
    },
    unchecked("the limit of a path", {
      in: "open_socket",
      from: "if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;",
      to: "",
    }),
  ],
};
