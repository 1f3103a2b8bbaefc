import { deepEqual, equal, throws } from "node:assert/strict";
import { MORE_CORES, readRegions } from "../../app/cli/host_places.ts";
import { HOST } from "../../app/cli/tables/host.ts";
import type { RegionOptions } from "../../app/host/host_options.ts";
import { parsed } from "./tables.ts";

/** Read `--region a --port null` and so on; `_` stands for a space. */
function read(line: string, lcores?: number): RegionOptions[] {
  const words = line.split(" ").map((word) => word.replace("_", " "));
  return readRegions(parsed(HOST, words).given, lcores);
}

/** Regions as `a: 0 null ring; 1 link:x`, one string each. */
function places(regions: RegionOptions[]): string[] {
  return regions.map(({ name, guests }) =>
    `${name}: ${
      guests.map(({ number, ports }) =>
        `${number} ${ports.map(({ kind, name }) => name ? `${kind}:${name}` : kind).join(" ")}`
      ).join("; ")
    }`
  );
}

for (
  const [line, ...wanted] of [
    ["--port tap:a --port null", "culvert0: 0 tap:a null"],
    ["--region r --port null", "r: 0 null"],
    ["--port null --port ring --region r", "r: 0 null ring"],
    ["--guest 3 --port null", "culvert0: 3 null"],
    ["--port null --guest 1 --port ring", "culvert0: 0 null; 1 ring"],
    ["--guest 1 --port null --guest 0 --port ring", "culvert0: 1 null; 0 ring"],
    ["--port null --guest 1 --port ring --region r", "r: 0 null; 1 ring"],
    ["--guest 126 --port null", "culvert0: 126 null"],
    [
      "--port tap:tap0 --port link:ab --guest 1 --port link:ab --port tap:tap1",
      "culvert0: 0 tap:tap0 link:ab; 1 link:ab tap:tap1",
    ],
    [
      "--region a --port tap:tap0 --port link:ab --region b --port link:ab --port tap:tap1",
      "a: 0 tap:tap0 link:ab",
      "b: 0 link:ab tap:tap1",
    ],
    [
      "--region a --guest 2 --port null --guest 1 --port null --region b --port null",
      "a: 2 null; 1 null",
      "b: 0 null",
    ],
    ["--region a --port link:x --port link:x", "a: 0 link:x link:x"],
  ]
) {
  Deno.test(`readRegions() reads ${line}`, () => deepEqual(places(read(line)), wanted));
}

Deno.test("readRegions() gives what stands before the first region to all, the rest to one", () => {
  const regions = read(
    "--size 4M --mbufs 100 --region a --size 8M --port null --ring-size 64 --region b " +
      "--mbufs 200 --numa-node 1 --port null --region c --port null",
  );
  const common = { size: 4 << 20, mbufs: 100, ringSize: 1024 };
  const [a, b, c] = regions.map(({ guests: _, ...rest }) => rest);
  deepEqual(a, { ...common, name: "a", size: 8 << 20, ringSize: 64 });
  deepEqual(b, { ...common, name: "b", mbufs: 200, numaNode: 1 });
  deepEqual(c, { ...common, name: "c" });
});

Deno.test("readRegions() takes the last of what is given twice", () => {
  const [{ size, mbufs }] = read(
    "--size 4M --size 8M --region a --mbufs 99 --mbufs 98 --port null",
  );
  deepEqual([size, mbufs], [8 << 20, 98]);
});

Deno.test("readRegions() lets options stand on either side of a region that comes last", () => {
  const [region] = read("--size 4M --port null --mbufs 100 --region a --ring-size 64");
  deepEqual([region.size, region.mbufs, region.ringSize], [4 << 20, 100, 64]);
});

Deno.test("readRegions() reads as many regions as there are", () => {
  const names = Array.from({ length: 100 }, (_, i) => `r${i}`);
  const regions = read(names.map((name) => `--region ${name} --port null`).join(" "));
  deepEqual(regions.map(({ name }) => name), names);
});

for (
  const [line, message] of [
    ["--region a --port null --region a --port ring", /^Cannot use region a twice: name all/],
    ["--port null --region a --port ring", /^Cannot use --port ring behind --region a as ports /],
    ["--port null --region a --guest 1", /^Cannot use --guest 1 behind --region a as ports stand/],
    ["--port null --region a --region b", /^Cannot use --region b behind --region a as ports /],
    ["--region a --region b --port null", /^Cannot use region a without ports: name them /],
    ["--port null --guest 1", /^Cannot use guest 1 of region culvert0 without ports: name /],
    ["--region a", /^Cannot forward between 0 ports: name 1 to 32 with --port KIND:NAME$/],
    ["--guest 1", /^Cannot use guest 1 of region culvert0 without ports: name them behind it/],
    ["--port null --guest 0 --port ring", /^Cannot use guest 0 twice: name all its ports behind/],
    [
      "--region a --guest 1 --port null --guest 1 --port ring",
      /^Cannot use guest 1 of region a twice: name all its ports behind it$/,
    ],
    ["--guest 127 --port null", /^Cannot use --guest 127 as it is no whole number from 0 to 126$/],
    ["--region a_b --port null", /^Cannot use region "a b" as it is no name /],
    ["--region a --port null --region b --size 3M --port null", /^Cannot use region b as it has /],
    [
      "--region a --port tap:t --region b --port tap:t",
      /^Cannot use port tap:t twice: name it once$/,
    ],
    ["--port ring:r --guest 1 --port ring:r", /^Cannot use port ring:r twice: name it once$/],
    [
      "--port link:x --port null",
      /^Cannot use port link:x as it is named once: a link has two ends$/,
    ],
    [
      "--port link:x --guest 1 --port link:x --guest 2 --port link:x",
      /^Cannot use port link:x as it is named 3 times: a link has two ends$/,
    ],
  ] as [string, RegExp][]
) {
  Deno.test(`readRegions() refuses ${line}`, () => {
    throws(() => read(line), { name: "UsageError", message });
  });
}

Deno.test("readRegions() refuses more ports for one guest than it has channels for, not for two", () => {
  const ports = (n: number) => Array(n).fill("--port null").join(" ");
  throws(() => read(ports(33)), { message: /^Cannot forward between 33 ports: name 1 to 32 / });
  equal(read(`${ports(32)} --guest 1 ${ports(32)}`)[0].guests.length, 2);
});

Deno.test("readRegions() counts each queue of a port as one of the 32", () => {
  read("--port packet:e,queues=32");
  throws(() => read("--port packet:e,queues=31 --port tap:t,queues=2"), { message: / 33 ports/ });
});

Deno.test("readRegions() wants a core for each queue of a port, and says how many there are", () => {
  const line = "--port packet:e,queues=2 --port packet:f,queues=2 --port null";
  equal(read(line, 2)[0].guests[0].ports.length, 3);
  const refused = (advice: string) => ({
    name: "UsageError",
    message: "Cannot use port packet:e,queues=2 as each of its queues takes a core, and the host " +
      `has 1: ${advice}`,
  });
  const { given } = parsed(HOST, line.split(" "));
  throws(
    () => readRegions(given, 1, MORE_CORES),
    refused("name as many cores (-l), or fewer queues"),
  );
  throws(() => readRegions(given, 1), refused("name fewer queues"));
});
