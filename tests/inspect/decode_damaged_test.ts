import { deepEqual, equal, ok } from "node:assert/strict";
import { decodeRegion } from "../../app/inspect/decode.ts";
import {
  DIRECTORY_BYTES,
  ENTRY,
  HEADER,
  LAYOUT_VERSION,
  ZONES_MAX,
} from "../../app/memory/layout.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { SampleRegion } from "./sample_region.ts";

/** A directory entry's first word. */
function entryWord(index: number): number {
  return DIRECTORY_BYTES / 4 + index * ENTRY.WORDS;
}

for (
  const [what, spoil, problem, decodesRest] of [
    ["a closed", (s) => s.region.close(), undefined, true],
    [
      "a half-built",
      (s) => s.memory.store(HEADER.VERSION, 0),
      "half-built: its host still builds it, or died at that",
      true,
    ],
    [
      "a newer",
      (s) => s.memory.store(HEADER.VERSION, 77),
      `of layout version 77, this build reads ${LAYOUT_VERSION}: use the build that made it`,
      false,
    ],
    [
      "a differently laid out",
      (s) => s.memory.u32[HEADER.LAYOUT_HASH]++,
      "of another layout: use the build that made it",
      false,
    ],
    [
      "a magicless",
      (s) => s.memory.u32[HEADER.MAGIC_1]++,
      "no region: Culvert's magic is not there",
      false,
    ],
    [
      "a doubled",
      (s) => s.memory.u32[HEADER.PAGES] *= 2,
      `the header says ${2 << 20} bytes where there are ${1 << 20}`,
      true,
    ],
    [
      "an overcounted",
      (s) => s.memory.u32[HEADER.ZONE_COUNT] = 1e9,
      `the directory counts 1000000000 memzones: there is room for ${ZONES_MAX}`,
      true,
    ],
  ] as [string, (sample: SampleRegion) => void, string | undefined, boolean][]
) {
  Deno.test(`decodeRegion() describes ${what} region as far as it can be`, () => {
    using sample = new SampleRegion();
    spoil(sample);
    const report = decodeRegion(sample.memory);
    deepEqual(report.problems, problem === undefined ? [] : [problem]);
    equal(report.host !== null, decodesRest);
    equal(report.channels.length, decodesRest ? 1 : 0);
  });
}

Deno.test("decodeRegion() tells the state of a host that has closed its region", () => {
  using sample = new SampleRegion();
  sample.region.close();
  equal(decodeRegion(sample.memory).host?.state, "CLOSED");
  sample.memory.store(HEADER.STATE, 99);
  equal(decodeRegion(sample.memory).host?.state, "99");
});

Deno.test("decodeRegion() tells memory that nobody has begun from memory that is no region", () => {
  using memory = freshMemory(8192);
  deepEqual(decodeRegion(memory).problems, ["blank: no host has begun it"]);
  memory.u32[1023] = 1;
  deepEqual(decodeRegion(memory).problems, ["no region: Culvert's magic is not there"]);
});

for (
  const [what, name, field, value, problem] of [
    [
      "lies over the header",
      "notes",
      ENTRY.OFFSET,
      4096,
      /^it lies over the header or the directory$/,
    ],
    ["is not aligned", "notes", ENTRY.OFFSET, 1000001, /^it is not aligned to 128 bytes$/],
    ["leaves the region", "notes", ENTRY.SIZE, 0xffffffff, /^it ends at \d+, behind the region's/],
    ["lies over another", "notes", ENTRY.OFFSET, 16384, /^it overlaps g0$/],
    ["has no name", "notes", ENTRY.NAME, 0, /^it has no name$/],
    ["is of no known kind", "notes", ENTRY.KIND, 1234, /^this build does not know its kind$/],
    ["is too small for a guest", "g0", ENTRY.SIZE, 384, /^384 bytes are too few, 1408 are wanted$/],
    ["is too small for a channel", "g0.p0", ENTRY.SIZE, 8, /^8 bytes are too few, 768 are wanted$/],
    ["is a ring of 63 slots", "g0.p0.tx", ENTRY.PARAMETER, 63, /^no ring has 63 slots$/],
    ["is a ring of 0 slots", "work", ENTRY.PARAMETER, 0, /^no ring has 0 slots$/],
    ["is too small a ring", "g0.p0.rx", ENTRY.PARAMETER, 128, /^128 slots do not fit into 768 by/],
    ["is too small an MPMC ring", "work", ENTRY.PARAMETER, 32, /^32 slots do not fit into 320 by/],
    ["has mbufs of 0 bytes", "mbufs", ENTRY.PARAMETER, 0, /^mbufs of 0 bytes do not fit$/],
    ["is a mempool too large", "shared", ENTRY.PARAMETER, 4096, /^20 mbufs of 4096 bytes do not/],
  ] as [string, string, number, number, RegExp][]
) {
  Deno.test(`decodeRegion() says so when a memzone ${what}, and goes on with the others`, () => {
    using sample = new SampleRegion();
    const before = decodeRegion(sample.memory);
    const index = before.zones.findIndex((zone) => zone.name === name);
    sample.memory.u32[entryWord(index) + field] = value;
    const { zones } = decodeRegion(sample.memory);
    ok(problem.test(`${zones[index].problem}`), `${zones[index].problem}`);
    const spoiled = zones.filter((zone) => zone.problem !== null).length;
    ok(spoiled <= 3, "a memzone and those that it overlaps");
  });
}

Deno.test("decodeRegion() flags names that occur twice", () => {
  using sample = new SampleRegion();
  const names = decodeRegion(sample.memory).zones.map(({ name }) => name);
  const [rx, tx] = ["g0.p0.rx", "g0.p0.tx"].map((name) => entryWord(names.indexOf(name)));
  sample.memory.u32.copyWithin(tx, rx, rx + 8);
  const problems = decodeRegion(sample.memory).zones.map(({ problem }) => problem).filter(Boolean);
  deepEqual(problems, Array(2).fill("another memzone has the same name"));
});

Deno.test("decodeRegion() reads a region of which only the beginning is there", () => {
  using sample = new SampleRegion();
  for (const bytes of [4096, 8192, 16384, 20480, 65536]) {
    using memory = freshMemory(bytes);
    memory.u8.set(sample.memory.u8.subarray(0, bytes));
    const { problems, zones } = decodeRegion(memory);
    equal(problems[0], `the header says ${1 << 20} bytes where there are ${bytes}`);
    equal(zones.length, bytes === 4096 ? 0 : 10);
    ok(bytes === 4096 || zones[9].problem !== null);
  }
});
