import { deepEqual, ok, throws } from "node:assert/strict";
import { parseCoreList, usableCores } from "../../app/linux/core_list.ts";
import { readKernelFile } from "../../app/linux/kernel_file.ts";

const CORES = usableCores();
const [FIRST] = CORES;

/** Two usable cores with neighbouring numbers: most machines have them. */
const PAIR = CORES.find((core) => CORES.includes(core + 1));

Deno.test("usableCores() are those that the kernel lets this process run on", () => {
  const status = readKernelFile("/proc/self/status");
  const allowed = /^Cpus_allowed_list:\s+(.*)$/m.exec(status)![1].split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, i) => first + i);
  });
  ok(CORES.length > 0);
  deepEqual(CORES, allowed);
});

Deno.test("parseCoreList() reads one core, and all of them", () => {
  deepEqual(parseCoreList(`${FIRST}`), [FIRST]);
  deepEqual(parseCoreList(CORES.join(",")), CORES);
  deepEqual(parseCoreList(CORES.join(" , ")), CORES);
});

Deno.test("parseCoreList() keeps the order, for lcores take cores by it", () => {
  deepEqual(parseCoreList(CORES.toReversed().join(",")), CORES.toReversed());
});

Deno.test("parseCoreList() reads a range of one core", () => {
  deepEqual(parseCoreList(`${FIRST}-${FIRST}`), [FIRST]);
});

Deno.test({
  name: "parseCoreList() reads a range with both its ends",
  ignore: PAIR === undefined,
  fn: () => deepEqual(parseCoreList(`${PAIR}-${PAIR! + 1}`), [PAIR, PAIR! + 1]),
});

for (
  const text of ["", ",", "a", "0-", "-1", "0--1", "0-1-2", "0x1", "1.5", `${FIRST},`, "(0,1)"]
) {
  Deno.test(`parseCoreList() refuses "${text}"`, () => {
    throws(() => parseCoreList(text), {
      name: "UsageError",
      message: /^Cannot use -l .* as ".*" is no core: write 0 or 0,1 or 2-5$/,
    });
  });
}

for (const absent of [1023, 1024, 4294967296 + FIRST, 99999999999]) {
  for (const text of [`${absent}`, `${FIRST},${absent}`]) {
    Deno.test(`parseCoreList() refuses "${text}", and says which cores there are`, () => {
      throws(() => parseCoreList(text), {
        name: "UsageError",
        message: `Cannot use -l ${text} as core ${absent} does not exist or is not ours: ` +
          `cores ${CORES.join(",")} are`,
      });
    });
  }
}

Deno.test("parseCoreList() refuses a range that reaches beyond the cores, however far", () => {
  for (const last of [CORES.at(-1)! + 1, 1024, 99999999999]) {
    throws(() => parseCoreList(`${CORES.at(-1)}-${last}`), {
      name: "UsageError",
      message: /as core \d+ does not exist or is not ours/,
    });
  }
});

Deno.test("parseCoreList() refuses a core that is named twice", () => {
  for (const text of [`${FIRST},${FIRST}`, `${FIRST}-${FIRST},${CORES.join(",")}`]) {
    throws(() => parseCoreList(text), {
      name: "UsageError",
      message: `Cannot use -l ${text} as a core is named twice: name each once`,
    });
  }
});

Deno.test("parseCoreList() refuses a range that goes down, which would name no core", () => {
  for (const text of [`${FIRST + 1}-${FIRST}`, `${FIRST},${FIRST + 1}-${FIRST}`]) {
    throws(() => parseCoreList(text), {
      name: "UsageError",
      message: `Cannot use -l ${text} as "${FIRST + 1}-${FIRST}" is no core: ` +
        "write 0 or 0,1 or 2-5",
    });
  }
});
