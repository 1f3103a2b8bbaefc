import { throws } from "node:assert/strict";
import { Region } from "../../app/memory/region.ts";
import { checkRegionBytes } from "../../app/memory/region_size.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { MIB } from "./published.ts";

Deno.test("checkRegionBytes() takes powers of two from 1 MiB to 4 GiB", () => {
  for (let bits = 20; bits <= 32; bits++) checkRegionBytes(2 ** bits, "r0");
});

for (const bytes of [0, 4096, MIB / 2, MIB - 1]) {
  Deno.test(`checkRegionBytes() refuses ${bytes} bytes as too small`, () => {
    throws(() => checkRegionBytes(bytes, "r0"), {
      name: "CulvertError",
      message: `Cannot use region r0 as it has ${bytes} bytes: 1 MiB is the least`,
    });
  });
}

for (const bytes of [MIB + 1, 3 * MIB, 2 ** 32 - 4096, NaN]) {
  Deno.test(`checkRegionBytes() refuses ${bytes} bytes as no power of two up to 4 GiB`, () => {
    throws(() => checkRegionBytes(bytes, "r0"), {
      name: "CulvertError",
      message: `Cannot use region r0 as it has ${bytes} bytes: QEMU takes powers of two only; ` +
        "use 1M, 2M, 4M ... 4G",
    });
  });
}

Deno.test("checkRegionBytes() refuses more than 4 GiB as that, not as no power of two", () => {
  throws(() => checkRegionBytes(2 ** 33, "r0"), {
    message: `Cannot use region r0 as it has ${2 ** 33} bytes: 4 GiB is the most`,
  });
});

Deno.test("Region.build() and attach() refuse memory that is too small or no power of two", () => {
  using small = freshMemory(65536);
  throws(
    () => Region.build(small, "r0"),
    /^CulvertError: .*it has 65536 bytes: 1 MiB is the least$/,
  );
  throws(
    () => Region.attach(small, "r0"),
    /^CulvertError: .*it has 65536 bytes: 1 MiB is the least$/,
  );
  using odd = freshMemory(3 * MIB);
  throws(() => Region.build(odd, "r0"), /^CulvertError: .*it has 3145728 bytes: QEMU takes powers/);
  throws(
    () => Region.attach(odd, "r0"),
    /^CulvertError: .*it has 3145728 bytes: QEMU takes powers/,
  );
});
