import { deepEqual, equal, throws } from "node:assert/strict";
import { hostOptions } from "../../app/cli/host_command.ts";
import { HOST } from "../../app/cli/tables/host.ts";
import { usableCores } from "../../app/linux/core_list.ts";
import { parsed } from "./tables.ts";

const PORT = ["--port", "null"];
const CORES = usableCores();

function read(args: string[]) {
  return hostOptions(parsed(HOST, args));
}

/** The one region of a command line. */
function regionOf(args: string[]) {
  const { regions } = read(args);
  equal(regions.length, 1);
  return regions[0];
}

Deno.test("hostOptions() gives defaults to all but ports", () => {
  deepEqual(read(["--port", "tap:tap0"]), {
    regions: [{
      name: "culvert0",
      ringSize: 1024,
      guests: [{ number: 0, ports: [{ kind: "tap", name: "tap0" }] }],
    }],
    mtu: 1500,
    cores: [CORES[0]],
    idle: "adaptive",
    burst: 32,
    statsPeriod: 0,
    account: { user: undefined, group: undefined },
  });
});

Deno.test("hostOptions() reads every option", () => {
  const args = [
    ...["--port", "tap:tap0", "--port=packet:eth1", "--port", "null:64", "--port", "ring:a"],
    ...["--region", "/dev/shm/red", "--size", "1G", "--mbufs", "65536", "--mtu", "9000"],
    ...["--ring-size", "512", "-l", CORES.join(","), "--idle", "poll", "-T", "2", "--burst", "64"],
    ...["--numa-node", "1", "--user", "nobody", "--group", "kvm"],
  ];
  const ports = [
    { kind: "tap", name: "tap0" },
    { kind: "packet", name: "eth1" },
    { kind: "null", name: "64" },
    { kind: "ring", name: "a" },
  ];
  deepEqual(read(args), {
    regions: [{
      name: "/dev/shm/red",
      size: 2 ** 30,
      mbufs: 65536,
      ringSize: 512,
      numaNode: 1,
      guests: [{ number: 0, ports }],
    }],
    mtu: 9000,
    cores: CORES,
    idle: "poll",
    burst: 64,
    statsPeriod: 2,
    account: { user: "nobody", group: "kvm" },
  });
});

Deno.test("hostOptions() knows -l as --cores and -T as --stats-period", () => {
  const options = read([...PORT, "--cores", `${CORES.at(-1)}`, "--stats-period", "3"]);
  deepEqual(options.cores, [CORES.at(-1)]);
  equal(options.statsPeriod, 3);
});

for (
  const [args, message] of [
    [[], /^Cannot forward between 0 ports: name 1 to 32 with --port KIND:NAME$/],
    [Array(33).fill("--port=null"), /^Cannot forward between 33 ports: name 1 to 32 /],
    [["--port", "eth0"], /^Cannot use port "eth0" as "eth0" is no kind of port: /],
    [["--port", "tap"], /^Cannot use port "tap" as it names no interface: /],
    [
      ["--port=tap:a", "--port=tap:b", "--port=tap:a"],
      /^Cannot use port tap:a twice: name it once$/,
    ],
    [["--port=ring:a", "--port=ring:a"], /^Cannot use port ring:a twice: /],
    [["--port=tap:a%d"], /^Cannot use interface "a%d" as no interface can have that name: /],
    [["--port=packet:sixteen-letters-"], /^Cannot use interface "sixteen-letters-" as /],
    [["--port=packet:.."], /^Cannot use interface "\.\." as /],
    [[...PORT, "--region", "a b"], /^Cannot use region "a b" as it is no name /],
    [[...PORT, "--size", "3M"], /^Cannot use region culvert0 as it has 3145728 bytes: QEMU takes /],
    [[...PORT, "--size", "64K"], /^Cannot use region culvert0 as it has 65536 bytes: 1 MiB is /],
    [[...PORT, "--ring-size", "12"], /12 slots: a power of two from 2 to 16777216 is wanted$/],
    [[...PORT, "--size", "big"], /^Cannot use --size big as it is no size: /],
    [
      [...PORT, "--mbufs", "63"],
      /^Cannot use --mbufs 63 as it is no whole number from 64 to 16777216$/,
    ],
    [[...PORT, "--mbufs", "16777217"], /^Cannot use --mbufs 16777217 as /],
    [[...PORT, "--mtu", "67"], /^Cannot use --mtu 67 as it is no whole number from 68 to 9216$/],
    [[...PORT, "--mtu", "9217"], /^Cannot use --mtu 9217 as /],
    [
      [...PORT, "--ring-size", "1"],
      /^Cannot use --ring-size 1 as it is no whole number from 2 to 1048576$/,
    ],
    [[...PORT, "--ring-size", "2097152"], /^Cannot use --ring-size 2097152 as /],
    [[...PORT, "-l", "x"], /^Cannot use -l x as "x" is no core: /],
    [[...PORT, "-l", "1024"], /^Cannot use -l 1024 as core 1024 does not exist or is not ours: /],
    [
      [...PORT, "--idle", "never"],
      /^Cannot use --idle never as it is none of poll, adaptive or sleep$/,
    ],
    [[...PORT, "-T", "86401"], /^Cannot use -T 86401 as it is no whole number from 0 to 86400$/],
    [[...PORT, "-T", "soon"], /^Cannot use -T soon as /],
    [[...PORT, "--vm", "1"], /^Cannot use --vm as culvert host has no such option: /],
    [
      [...PORT, "--numa-node", "64"],
      /^Cannot use --numa-node 64 as it is no whole number from 0 to 63$/,
    ],
    [[...PORT, "eth0"], /^Cannot use "eth0" as culvert host takes options alone: /],
    [[...PORT, "--mtu"], /^Cannot use --mtu as nothing follows it: write --mtu BYTES$/],
  ] as [string[], RegExp][]
) {
  Deno.test(`culvert host ${args.slice(0, 6).join(" ")} is a usage error`, () => {
    throws(() => read(args), { name: "UsageError", message });
  });
}

Deno.test("hostOptions() takes what is at its limits", () => {
  for (const [mbufs, mtu, ring] of [["64", "68", "2"], ["16777216", "9216", "1048576"]]) {
    const args = [...PORT, "--mbufs", mbufs, "--mtu", mtu, "--ring-size", ring];
    equal(read(args).mtu, Number(mtu));
    deepEqual([regionOf(args).mbufs, regionOf(args).ringSize], [Number(mbufs), Number(ring)]);
  }
  equal(regionOf(Array(32).fill("--port=null")).guests[0].ports.length, 32);
});

Deno.test("hostOptions() takes ports in memory more than once, unless they have one name", () => {
  const args = ["null:64", "null:64", "ring", "ring", "ring:a", "tap:a"].map((p) => `--port=${p}`);
  equal(regionOf(args).guests[0].ports.length, 6);
});

Deno.test("hostOptions() takes a burst of 1 to 256", () => {
  const burst = (text: string) => read(["--port", "null", "--burst", text]).burst;
  equal(burst("256"), 256);
  throws(() => burst("257"), /--burst 257 as it is no whole number from 1 to 256/);
  throws(() => burst("0"), /--burst 0 as it is no whole number from 1 to 256/);
});

Deno.test("hostOptions() asks for a mempool for debugging if it is told", () => {
  equal("debugPool" in read(["--port", "null"]), false);
  equal(read(["--port", "null", "--debug-pool"]).debugPool, true);
});

Deno.test("hostOptions() reads how far guests are trusted, if it is told", () => {
  const trust = (...args: string[]) => read([...PORT, ...args]);
  equal("quarantineAfter" in trust() || "holdMax" in trust() || "wipe" in trust(), false);
  const { quarantineAfter, holdMax, wipe } = trust(
    ...["--quarantine-after", "0", "--hold-max", "77", "--wipe"],
  );
  deepEqual([quarantineAfter, holdMax, wipe], [0, 77, true]);
  throws(() => trust("--quarantine-after", "-1"), { name: "UsageError" });
  throws(
    () => trust("--hold-max", "0"),
    /--hold-max 0 as it is no whole number from 1 to 16777216/,
  );
  throws(() => trust("--wipe", "--guest", "1", ...PORT), /as it has 2 guests: they see each other/);
});
