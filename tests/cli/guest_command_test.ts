import { deepEqual, equal, throws } from "node:assert/strict";
import { guestOptions } from "../../app/cli/guest_command.ts";
import { GUEST } from "../../app/cli/tables/guest.ts";
import { MODES } from "../../app/guest/functions/mod.ts";
import { usableCores } from "../../app/linux/core_list.ts";
import { parsed } from "./tables.ts";

const CORES = usableCores();

function read(args: string[]) {
  return guestOptions(parsed(GUEST, args));
}

Deno.test("guestOptions() gives a default to everything", () => {
  deepEqual(read([]), {
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

Deno.test("guestOptions() reads every option", () => {
  const args = [
    ...["--region", "/dev/shm/red", "--guest", "3", "-l", CORES.join(","), "-p", "0x3", "-q", "2"],
    ...["-T", "1", "--portmap", "(0,1)", "--no-mac-updating", "--forward-mode", "txonly"],
    ...["--txpkts", "1514", "--idle", "poll", "--burst", "64"],
  ];
  deepEqual(read(args), {
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
  Deno.test(`culvert guest --pci ${address} attaches to a PCI device`, () => {
    deepEqual(read(["--pci", address]).source, { pci: address });
  });
}

Deno.test("guestOptions() knows long names of l2fwd's options", () => {
  const args = ["--cores", `${CORES[0]}`, "--portmask", "f", "--nq", "4", "--stats-period", "0"];
  const options = read([...args, "--mac-updating"]);
  deepEqual(options.cores, [CORES[0]]);
  equal(options.portMask, "f");
  equal(options.portsPerLcore, 4);
  equal(options.statsPeriod, 0);
  equal(options.macUpdating, true);
});

for (const mode of Object.keys(MODES)) {
  Deno.test(`guestOptions() knows the mode ${mode}`, () => {
    equal(read(["--forward-mode", mode]).mode, mode);
  });
}

Deno.test("culvert guest --help lists every forwarding mode", () => {
  deepEqual([...GUEST.options["forward-mode"].choices], Object.keys(MODES));
});

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
    [["--idle", ""], /^Cannot use --idle {2}as it is none of poll, adaptive or sleep$/],
    [
      ["--forward-mode", "toString"],
      /^Cannot use --forward-mode toString as it is none of l2fwd, io, mac, macswap, icmpecho, /,
    ],
    [["--port", "null"], /^Cannot use --port as culvert guest has no such option: /],
    [["culvert0"], /^Cannot use "culvert0" as culvert guest takes options alone: /],
    [["-p"], /^Cannot use -p as nothing follows it: write -p PORTMASK$/],
  ] as [string[], RegExp][]
) {
  Deno.test(`culvert guest ${args.join(" ")} is a usage error`, () => {
    throws(() => read(args), { name: "UsageError", message });
  });
}

Deno.test("guestOptions() takes what is at its limits", () => {
  const least = read(["--guest", "0", "-q", "1", "-T", "0", "--txpkts", "60"]);
  const most = read(["--guest", "126", "-q", "32", "-T", "86400", "--txpkts", "1514"]);
  deepEqual(
    [least, most].map((o) => [o.guest, o.portsPerLcore, o.statsPeriod, o.txBytes]),
    [[0, 1, 0, 60], [126, 32, 86400, 1514]],
  );
});

Deno.test("guestOptions() takes a burst of 1 to 256", () => {
  equal(read(["--burst", "256"])?.burst, 256);
  throws(() => read(["--burst", "257"]), /--burst 257 as it is no whole number/);
});
