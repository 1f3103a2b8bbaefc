import { equal, notEqual, ok } from "node:assert/strict";
import * as layout from "../../app/memory/layout.ts";

const { CHANNEL, DESCRIPTOR, ENTRY, GUEST, HEADER, LINE, LINE_BYTES, MEMPOOL, MPMC, RING } = layout;

/** Of each memzone that both sides write: its words by who writes them. */
const WRITERS: Record<string, Record<string, number[]>> = {
  "a ring": {
    producer: [RING.PRODUCER],
    consumer: [RING.CONSUMER],
    "the producer again": [RING.SLOTS],
  },
  "a ring with several producers or consumers": {
    producers: [MPMC.PRODUCER_HEAD, MPMC.PRODUCER_TAIL],
    consumers: [MPMC.CONSUMER_HEAD, MPMC.CONSUMER_TAIL],
    "the producers again": [MPMC.SLOTS],
  },
  "a mempool": {
    host: [MEMPOOL.COUNT],
    producers: [MEMPOOL.FREE_RING + MPMC.PRODUCER_HEAD, MEMPOOL.FREE_RING + MPMC.PRODUCER_TAIL],
    consumers: [MEMPOOL.FREE_RING + MPMC.CONSUMER_HEAD, MEMPOOL.FREE_RING + MPMC.CONSUMER_TAIL],
    "the producers again": [MEMPOOL.FREE_RING + MPMC.SLOTS],
  },
  "a guest's control memzone": {
    both: [GUEST.STATE],
    guest: [GUEST.HEARTBEAT, GUEST.PID],
    host: [GUEST.INCARNATION],
    "the guest again": [GUEST.COUNTERS],
    "the memzone behind": [layout.guestBytes(1) / 4],
  },
};

for (const [what, writers] of Object.entries(WRITERS)) {
  Deno.test(`layout: words of different writers in ${what} never share 128 bytes`, () => {
    const owners = new Map<number, string>();
    for (const [writer, words] of Object.entries(writers)) {
      for (const word of words) {
        const line = Math.floor(word * 4 / 128);
        const owner = owners.get(line) ?? writer;
        equal(owner, writer, `line ${line} is written by ${owner} and by ${writer}`);
        owners.set(line, writer);
      }
    }
  });
}

Deno.test("layout: a line is the 128 bytes that the adjacent-line prefetcher pairs", () => {
  equal(LINE_BYTES, 128);
  equal(LINE, 32);
});

/** Groups of fields that lie in the same memory: first word -> words. */
const FIELDS: Record<
  string,
  { fields: [name: string, word: number, words: number][]; end: number }
> = {
  "the header": {
    fields: Object.entries(HEADER).map(([name, word]) => [name, word, 1]),
    end: layout.DIRECTORY_BYTES / 4,
  },
  "a directory entry": {
    fields: [
      ["NAME", ENTRY.NAME, (layout.ZONE_NAME_BYTES + 1) / 4],
      ["KIND", ENTRY.KIND, 1],
      ["OFFSET", ENTRY.OFFSET, 1],
      ["SIZE", ENTRY.SIZE, 1],
      ["PARAMETER", ENTRY.PARAMETER, 1],
    ],
    end: ENTRY.WORDS,
  },
  "a channel's description": {
    fields: [
      ["PORT_NAME", CHANNEL.PORT_NAME, 4],
      ["MAC", CHANNEL.MAC, 2],
      ["FRAME_MAX", CHANNEL.FRAME_MAX, 1],
      ["HEADROOM", CHANNEL.HEADROOM, 1],
    ],
    end: CHANNEL.BYTES / 4,
  },
  "a guest's control memzone": {
    fields: Object.entries(GUEST).map(([name, word]) => [name, word, 1]),
    end: layout.guestBytes(1) / 4,
  },
  "a ring with several producers or consumers": {
    fields: Object.entries(MPMC).map(([name, word]) => [name, word, 1]),
    end: MPMC.SLOTS + 1,
  },
};

for (const [what, { fields, end }] of Object.entries(FIELDS)) {
  Deno.test(`layout: the fields of ${what} do not overlap and lie inside it`, () => {
    let free = 0;
    for (const [name, word, words] of fields.toSorted((a, b) => a[1] - b[1])) {
      ok(Number.isInteger(word) && Number.isInteger(words), name);
      ok(word >= free, `${name} begins at word ${word}: the field before ends at ${free}`);
      free = word + words;
    }
    ok(free <= end, `the last field ends at word ${free}, the whole at ${end}`);
  });
}

Deno.test("layout: the directory ends before the memzones begin", () => {
  ok(layout.DIRECTORY_BYTES + layout.ZONES_MAX * ENTRY.WORDS * 4 <= layout.ZONES_BYTES);
  equal(layout.ZONES_BYTES % LINE_BYTES, 0);
});

Deno.test("layout: the magic spells CULVERT", () => {
  const bytes = new Uint8Array(Uint32Array.from(layout.MAGIC).buffer);
  equal(new TextDecoder().decode(bytes), "CULVERT\0");
});

Deno.test("layout: an mbuf index and its flags share a word and no bit", () => {
  equal(DESCRIPTOR.INDEX_MASK, 2 ** DESCRIPTOR.FLAGS_SHIFT - 1);
});

Deno.test("layout: mbufs begin in different cache sets", () => {
  equal(layout.MBUF_STRIDE_BYTES % 64, 0);
  notEqual(layout.MBUF_STRIDE_BYTES % 128, 0);
  ok(layout.MBUF_STRIDE_BYTES >= layout.HEADROOM_BYTES + 1518, "a frame with a VLAN tag fits");
});

const LAYOUT = Deno.readTextFileSync(new URL("../../app/memory/layout.ts", import.meta.url));

/** The layout's hash after a change of its source. */
async function hashAfter(pattern: string, replacement: string): Promise<number> {
  const changed = LAYOUT.replace(pattern, replacement);
  notEqual(changed, LAYOUT, `"${pattern}" is not in layout.ts any more`);
  return (await import("data:application/typescript," + encodeURIComponent(changed))).LAYOUT_HASH;
}

const CHANGES: [what: string, from: string, to: string][] = [
  ["a header field moves", "EPOCH: 6", "EPOCH: 10"],
  ["a header field gets another name", "EPOCH: 6", "ERA: 6"],
  ["a region state changes its number", "READY: 2", "READY: 4"],
  ["a directory entry grows", "WORDS: 12", "WORDS: 16"],
  ["a kind of memzone changes its number", "RAW: 5", "RAW: 6"],
  ["a ring's consumer moves", "CONSUMER: LINE, ", "CONSUMER: LINE + 1, "],
  ["the slots of the other ring move", "SLOTS: 2 * LINE,\n", "SLOTS: 3 * LINE,\n"],
  ["a mempool's free ring moves", "FREE_RING: LINE }", "FREE_RING: 2 * LINE }"],
  ["a mempool's guard is told elsewhere", "GUARD: 1", "GUARD: 3"],
  ["a descriptor's flag moves", "SHARED: 1 << 25", "SHARED: 1 << 26"],
  ["a note on an mbuf grows", "NEXT: 1, WORDS: 4", "NEXT: 1, WORDS: 8"],
  ["a watch has more names", "NAMES_MAX: 64", "NAMES_MAX: 128"],
  ["a descriptor has more flags", "FLAGS_SHIFT: 24", "FLAGS_SHIFT: 20"],
  ["a guest's word moves", "PID: LINE + 1", "PID: LINE + 4"],
  ["a function may count more", "SLOTS: 16", "SLOTS: 32"],
  ["a channel's word moves", "HEADROOM: 7", "HEADROOM: 9"],
  ["lines get another size", "LINE_BYTES = 128", "LINE_BYTES = 64"],
  ["the directory moves", "DIRECTORY_BYTES = 4096", "DIRECTORY_BYTES = 8192"],
  ["memzones begin elsewhere", "ZONES_BYTES = 16384", "ZONES_BYTES = 32768"],
  ["the headroom changes", "HEADROOM_BYTES = 128", "HEADROOM_BYTES = 256"],
];

for (const [what, from, to] of CHANGES) {
  Deno.test(`LAYOUT_HASH changes when ${what}`, async () => {
    notEqual(await hashAfter(from, to), layout.LAYOUT_HASH);
  });
}

Deno.test("LAYOUT_HASH is a u32 and stays when only a comment or a default changes", async () => {
  ok(Number.isInteger(layout.LAYOUT_HASH) && layout.LAYOUT_HASH >= 0);
  ok(layout.LAYOUT_HASH < 2 ** 32);
  equal(await hashAfter("/** Shortest frame:", "/** The shortest frame:"), layout.LAYOUT_HASH);
  equal(await hashAfter("STRIDE_BYTES = 2368", "STRIDE_BYTES = 2240"), layout.LAYOUT_HASH);
});
