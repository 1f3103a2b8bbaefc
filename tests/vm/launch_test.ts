import { deepStrictEqual, match, ok, strictEqual, throws } from "node:assert/strict";
import { jsonText, shellText } from "../../app/vm/show.ts";
import { FILE, launches, MACHINE, SERVED } from "./launch_lab.ts";

/** The words of a launch as one text. */
function lineOf({ program, args }: { program: string; args: readonly string[] }): string {
  return [program, ...args].join(" ");
}

Deno.test("planLaunches() makes a VM for each guest, which differ in number and monitor", () => {
  const [first, second] = launches(["--guest", "0", "--guest", "5", "--qmp", "/tmp/q"]);
  match(lineOf(first), /culvert\.args=guest\+--guest\+0\+--pci\+auto .*-qmp unix:\/tmp\/q\.0,/);
  match(lineOf(second), /culvert\.args=guest\+--guest\+5\+--pci\+auto .*-qmp unix:\/tmp\/q\.5,/);
  const same = lineOf(second).replace("--guest+5", "--guest+0").replace("/q.5", "/q.0");
  strictEqual(same, lineOf(first));
});

Deno.test("planLaunches() leaves the monitor's name alone where there is one VM", () => {
  const [only, ...more] = launches(["--qmp", "/tmp/q"]);
  match(lineOf(only), /-qmp unix:\/tmp\/q,/);
  match(lineOf(only), /culvert\.args=guest\+--pci\+auto /);
  deepStrictEqual(more, []);
});

Deno.test("planLaunches() uses a server's socket with --doorbell, and its memory without", () => {
  match(lineOf(launches([])[0]), /mem-path=\/proc\/12\/fd\/3,size=67108864 -device ivshmem-plain/);
  match(
    lineOf(launches(["--doorbell"])[0]),
    /path=\/run\/culvert\/culvert0\.sock,id=culvert0 -device ivshmem-doorbell,.*vectors=4$/,
  );
  match(lineOf(launches(["--doorbell", "--vectors", "2"])[0]), /vectors=2$/);
});

Deno.test("planLaunches() gives a doorbell only to regions that have a server", () => {
  const [{ args, advice }] = launches(["--doorbell"], [FILE, SERVED]);
  deepStrictEqual(args.filter((word) => word.startsWith("ivshmem-")), [
    "ivshmem-plain,memdev=culvert0",
    "ivshmem-doorbell,chardev=culvert1,vectors=4",
  ]);
  ok(advice.some((line) => /^region \/dev\/shm\/r: no server .* it has no doorbell/.test(line)));
});

Deno.test("planLaunches() runs QEMU on the cores that were asked for, or on those of the node", () => {
  const machine = { ...MACHINE, nodes: [...MACHINE.nodes, { number: 2, cores: "8-11" }] };
  match(lineOf(launches(["--pin", "1,3"])[0]), /^taskset -c 1,3 qemu-system-x86_64 /);
  match(
    lineOf(launches(["--numa-node", "2"], [FILE], machine)[0]),
    /^taskset -c 8-11 qemu.*host-nodes=2/,
  );
  match(
    lineOf(launches(["--numa-node", "2", "--pin", "9"], [FILE], machine)[0]),
    /^taskset -c 9 /,
  );
  throws(() => launches(["--numa-node", "1"], [FILE], machine), /node 1 .* has 0, 2: choose one/);
});

Deno.test("shellText() is advice in comments and lines that a shell can run", async () => {
  const text = shellText(launches(["--qemu", "echo", "--guest", "0", "--guest", "1"]));
  const { stdout } = await new Deno.Command("sh", { args: ["-c", text] }).output();
  const shown = new TextDecoder().decode(stdout).trim().split("\n");
  strictEqual(shown.length, 2);
  for (const line of shown) match(line, /^-nodefaults .* -append console=ttyS0 quiet .* -device /);
  match(text, /^# guest 0: culvert0\n# region culvert0: /);
  match(text, /^# guest 1: culvert0$/m);
});

Deno.test("jsonText() tells programs what would run, on which regions", () => {
  const found = JSON.parse(jsonText(launches(["--pin", "1", "--qmp", "/q"], [SERVED, FILE])));
  strictEqual(found.length, 1);
  const { guest, program, args, advice, regions, qmp, ...rest } = found[0];
  deepStrictEqual(rest, {});
  strictEqual(guest, 0);
  strictEqual(program, "taskset");
  deepStrictEqual(args.slice(0, 4), ["-c", "1", "qemu-system-x86_64", "-nodefaults"]);
  deepStrictEqual(regions, [SERVED, FILE]);
  strictEqual(qmp, "/q");
  ok(Array.isArray(advice));
});
