import { deepEqual, equal, throws } from "node:assert/strict";
import { CulvertError } from "../../ffi/error.ts";
import {
  DIRECTORY_BYTES,
  ENTRY,
  HEADER,
  ZONE_KIND,
  ZONES_BYTES,
  ZONES_MAX,
} from "../../app/memory/layout.ts";
import { kindName, readDirectory, writeEntry } from "../../app/memory/zone.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const MIB = 1 << 20;
const ZONE = { name: "g0.p0.rx", kind: 1, offset: ZONES_BYTES, size: 640, parameter: 32 };

/** Where word `field` of entry `index` lies. */
function wordOf(index: number, field: number): number {
  return DIRECTORY_BYTES / 4 + index * ENTRY.WORDS + field;
}

Deno.test("readDirectory() returns what writeEntry() wrote, in its order", () => {
  using memory = freshMemory(MIB);
  deepEqual(readDirectory(memory), []);
  const zones = [ZONE, { name: "mbufs", kind: 2, offset: 20480, size: 4736, parameter: 2368 }];
  zones.forEach((zone, index) => writeEntry(memory, index, zone));
  deepEqual(readDirectory(memory), zones);
});

Deno.test("writeEntry() leaves nothing of what was there before", () => {
  using memory = freshMemory(MIB);
  memory.u32.fill(0xffffffff, wordOf(0, 0), wordOf(1, 0));
  writeEntry(memory, 0, { ...ZONE, name: "x" });
  equal(readDirectory(memory)[0].name, "x");
  equal(memory.u32[wordOf(0, 1)], 0);
});

Deno.test("readDirectory() reads names of 31 bytes, of any letters, and none longer", () => {
  using memory = freshMemory(MIB);
  writeEntry(memory, 0, { ...ZONE, name: "x".repeat(31) });
  writeEntry(memory, 1, { ...ZONE, name: "größe" });
  memory.u8.fill(0x79, wordOf(2, 0) * 4, wordOf(2, 8) * 4); // no NUL
  memory.u32.set([1, ZONES_BYTES, 4, 0], wordOf(2, ENTRY.KIND));
  memory.u32[HEADER.ZONE_COUNT] = 3;
  deepEqual(readDirectory(memory).map(({ name }) => name), [
    "x".repeat(31),
    "größe",
    "y".repeat(32),
  ]);
});

Deno.test("readDirectory() takes a full directory and no more", () => {
  using memory = freshMemory(MIB);
  for (let i = 0; i < ZONES_MAX; i++) writeEntry(memory, i, { ...ZONE, name: `${i}` });
  equal(readDirectory(memory).length, ZONES_MAX);
  equal(readDirectory(memory).at(-1)!.name, `${ZONES_MAX - 1}`);
  memory.u32[HEADER.ZONE_COUNT] = ZONES_MAX + 1;
  throws(() => readDirectory(memory), {
    name: "CulvertError",
    message: `Cannot read the region's directory as it counts ${ZONES_MAX + 1} memzones: ` +
      `${ZONES_MAX} is the most`,
  });
});

const OUTSIDE: [what: string, offset: number, size: number][] = [
  ["begins in the header", 0, 128],
  ["begins in the directory", ZONES_BYTES - 128, 128],
  ["begins between words", ZONES_BYTES + 2, 128],
  ["ends behind the region", MIB - 128, 129],
  ["begins behind the region", MIB + 128, 0],
  ["wraps around 2^32", 0xffffff80, 0x80],
  ["has the largest size", ZONES_BYTES, 0xffffffff],
];

for (const [what, offset, size] of OUTSIDE) {
  Deno.test(`readDirectory() refuses a memzone that ${what}`, () => {
    using memory = freshMemory(MIB);
    writeEntry(memory, 0, ZONE);
    writeEntry(memory, 1, { ...ZONE, name: "bad", offset, size });
    throws(() => readDirectory(memory), (error) => {
      equal((error as Error).name, new CulvertError("").name);
      equal(
        (error as Error).message,
        `Cannot read the region's directory as memzone bad lies at ${offset}+${size}: ` +
          `the region ends at ${MIB}`,
      );
      return true;
    });
  });
}

Deno.test("readDirectory() takes a memzone that ends where the region does", () => {
  using memory = freshMemory(MIB);
  writeEntry(memory, 0, { ...ZONE, offset: MIB - 128, size: 128 });
  equal(readDirectory(memory).length, 1);
});

Deno.test("writeEntry() goes by its caller's index, whatever the region says by now", () => {
  using memory = freshMemory(MIB);
  memory.u32[HEADER.ZONE_COUNT] = 0x7fffffff;
  writeEntry(memory, 0, ZONE);
  deepEqual(readDirectory(memory), [ZONE]);
});

Deno.test("kindName() knows each kind, and no other", () => {
  for (const [name, kind] of Object.entries(ZONE_KIND)) equal(kindName(kind), name);
  equal(kindName(0), "0");
  equal(kindName(77), "77");
});
