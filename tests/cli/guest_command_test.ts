import { deepEqual, equal, throws } from "node:assert/strict";
import { readGuestOptions } from "../../app/cli/guest_command.ts";
import { MODES } from "../../app/guest/functions/mod.ts";
import { usableCores } from "../../app/linux/core_list.ts";

const CORES = usableCores();

Deno.test("readGuestOptions() gives a default to everything", () => {
  deepEqual(readGuestOptions([]), {
    source: { region: "culvert0" },
    guest: 0,
    cores: [CORES.at(-1)],
    mode: "l2fwd",
    macUpdating: true,
    portMask: undefined,
    portMap: undefined,
    portsPerLcore: undefined,
    statsPeriod: 10,
    txBytes: 64,
    idle: "adaptive",
    burst: 32,
  });
});

Deno.test("readGuestOptions() reads every option", () => {
  const args = [
    ...["--region", "/dev/shm/red", "--guest", "3", "-l", CORES.join(","), "-p", "0x3", "-q", "2"],
    ...["-T", "1", "--portmap", "(0,1)", "--no-mac-updating", "--forward-mode", "txonly"],
    ...["--txpkts", "1514", "--idle", "poll", "--burst", "64"],
  ];
  deepEqual(readGuestOptions(args), {
    source: { region: "/dev/shm/red" },
    guest: 3,
    cores: CORES,
    mode: "txonly",
    macUpdating: false,
    portMask: "0x3",
    portMap: "(0,1)",
    portsPerLcore: 2,
    statsPeriod: 1,
    txBytes: 1514,
    idle: "poll",
    burst: 64,
  });
});

for (const address of ["auto", "0000:00:04.0"]) {
  Deno.test(`readGuestOptions(--pci ${address}) attaches to a PCI device`, () => {
    deepEqual(readGuestOptions(["--pci", address])!.source, { pci: address });
  });
}

Deno.test("readGuestOptions() knows long names of l2fwd's options", () => {
  const args = ["--cores", `${CORES[0]}`, "--portmask", "f", "--nq", "4", "--stats-period", "0"];
  const options = readGuestOptions([...args, "--mac-updating"])!;
  deepEqual(options.cores, [CORES[0]]);
  equal(options.portMask, "f");
  equal(options.portsPerLcore, 4);
  equal(options.statsPeriod, 0);
  equal(options.macUpdating, true);
});

for (const mode of Object.keys(MODES)) {
  Deno.test(`readGuestOptions() knows the mode ${mode}`, () => {
    equal(readGuestOptions(["--forward-mode", mode])!.mode, mode);
  });
}

for (const args of [["--help"], ["-h"], ["--help", "--txpkts", "no"]]) {
  Deno.test(`readGuestOptions(${args.join(" ")}) is undefined, for help was asked for`, () => {
    equal(readGuestOptions(args), undefined);
  });
}

for (
  const [args, message] of [
    [
      ["--region", "a", "--pci", "auto"],
      /^Cannot use --region and --pci together: a guest attaches to one of them$/,
    ],
    [["--region", "a b"], /^Cannot use region "a b" as it is no name /],
    [["--region", ""], /^Cannot use region "" as it is no name /],
    [["--guest", "127"], /^Cannot use --guest 127 as it is no whole number from 0 to 126$/],
    [["--guest", "x"], /^Cannot use --guest x as /],
    [["-l", ""], /^Cannot use -l {2}as "" is no core: /],
    [["-q", "0"], /^Cannot use -q 0 as it is no whole number from 1 to 32$/],
    [["-q", "33"], /^Cannot use -q 33 as /],
    [["-T", "86401"], /^Cannot use -T 86401 as it is no whole number from 0 to 86400$/],
    [["--txpkts", "59"], /^Cannot use --txpkts 59 as it is no whole number from 60 to 1514$/],
    [["--txpkts", "1515"], /^Cannot use --txpkts 1515 as /],
    [["--idle", ""], /^Cannot use --idle {2}as it is none of poll, adaptive, sleep$/],
    [
      ["--forward-mode", "toString"],
      /^Cannot use --forward-mode toString as it is none of l2fwd, io, mac, macswap, icmpecho, /,
    ],
    [["--port", "null"], /^Cannot read the command line: .*--port/],
    [["culvert0"], /^Cannot read the command line: .*culvert0/],
    [["-p"], /^Cannot read the command line: .*-p/],
  ] as [string[], RegExp][]
) {
  Deno.test(`readGuestOptions(${args.join(" ")}) is a usage error`, () => {
    throws(() => readGuestOptions(args), { name: "UsageError", message });
  });
}

Deno.test("readGuestOptions() takes what is at its limits", () => {
  const least = readGuestOptions(["--guest", "0", "-q", "1", "-T", "0", "--txpkts", "60"])!;
  const most = readGuestOptions(["--guest", "126", "-q", "32", "-T", "86400", "--txpkts", "1514"])!;
  deepEqual(
    [least, most].map((o) => [o.guest, o.portsPerLcore, o.statsPeriod, o.txBytes]),
    [[0, 1, 0, 60], [126, 32, 86400, 1514]],
  );
});

Deno.test("readGuestOptions() takes a burst of 1 to 256", () => {
  equal(readGuestOptions(["--burst", "256"])?.burst, 256);
  throws(() => readGuestOptions(["--burst", "257"]), /--burst 257 as it is no whole number/);
});
