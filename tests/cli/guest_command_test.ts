import { deepEqual, equal, throws } from "node:assert/strict";
import { guestOptions } from "../../app/cli/guest_command.ts";
import { GUEST } from "../../app/cli/tables/guest.ts";
import { functionNames } from "../guest/function_names.ts";
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
    functions: [{ named: "l2fwd", set: { "mac-updating": "true" } }],
    onError: "drop",
    isChecked: false,
    takesPushes: false,
    portMask: undefined,
    portMap: undefined,
    portsPerLcore: undefined,
    statsPeriod: 10,
    idle: "adaptive",
    burst: 32,
  });
});

Deno.test("guestOptions() reads every option", () => {
  const args = [
    ...["--region", "/dev/shm/red", "--guest", "3", "-l", CORES.join(","), "-p", "0x3", "-q", "2"],
    ...["-T", "1", "--portmap", "(0,1)", "--no-mac-updating", "--forward-mode", "txonly"],
    ...["--txpkts", "1514", "--idle", "poll", "--burst", "64"],
    ...["--function", "./my.ts", "--set", "a=1", "--set", "b=x=y", "--function", "l2fwd"],
    ...["--on-error", "stop", "--push", "--check"],
  ];
  deepEqual(read(args), {
    source: { region: "/dev/shm/red" },
    guest: 3,
    cores: CORES,
    functions: [
      { named: "txonly", set: { bytes: "1514" } },
      { named: "./my.ts", set: { a: "1", b: "x=y" } },
      { named: "l2fwd", set: { "mac-updating": "false" } },
    ],
    onError: "stop",
    isChecked: true,
    takesPushes: true,
    portMask: "0x3",
    portMap: "(0,1)",
    portsPerLcore: 2,
    statsPeriod: 1,
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
  deepEqual(options.functions, [{ named: "l2fwd", set: { "mac-updating": "true" } }]);
});

for (const mode of functionNames()) {
  Deno.test(`guestOptions() takes ${mode} as a mode and as a function`, () => {
    equal(read(["--forward-mode", mode]).functions[0].named, mode);
    equal(read(["--function", mode]).functions[0].named, mode);
  });
}

Deno.test("culvert guest --help lists every forwarding mode", () => {
  deepEqual([...GUEST.options["forward-mode"].choices].sort(), functionNames());
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
    [["--set", "a=1"], /^Cannot use --set a=1 as no --function stands before it$/],
    [["--function", "io", "--set", "a"], /^Cannot use --set a as it is no option: write --set KEY/],
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
    [least, most].map((o) => [o.guest, o.portsPerLcore, o.statsPeriod]),
    [[0, 1, 0], [126, 32, 86400]],
  );
});

Deno.test("guestOptions() takes a burst of 1 to 256", () => {
  equal(read(["--burst", "256"])?.burst, 256);
  throws(() => read(["--burst", "257"]), /--burst 257 as it is no whole number/);
});
