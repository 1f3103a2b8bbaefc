import { deepStrictEqual, match, ok, rejects, strictEqual } from "node:assert/strict";
import { runLaunches, showLines } from "../../app/vm/run_qemu.ts";
import { until } from "../kit/wait.ts";
import { statOf } from "../kit/processes.ts";

const RUN = new URL("../../app/vm/run_qemu.ts", import.meta.url).href;

/** A shell script in the place of a QEMU. */
function machine(guest: number, script: string) {
  return { guest, program: "sh", args: ["-c", script] };
}

/** Run machines by a process of its own; `ended` has what it printed. */
function run(...machines: ReturnType<typeof machine>[]) {
  const code = `import { runLaunches } from ${JSON.stringify(RUN)};` +
    `Deno.exit(await runLaunches(${JSON.stringify(machines)}));`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", code],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  return { child, ended: child.output() };
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

/** Whether a process runs. */
function runs(pid: number): boolean {
  return (statOf(pid)?.state ?? "Z") !== "Z";
}

/** Numbers that scripts write to files in a folder of their own. */
class Pids implements Disposable {
  readonly folder = Deno.makeTempDirSync();

  /** The command by which a script writes its process id. */
  write(name: string): string {
    return `echo $$ > ${this.folder}/${name}.tmp; mv ${this.folder}/${name}.tmp ${this.folder}/${name}; `;
  }

  async read(name: string): Promise<number> {
    const path = `${this.folder}/${name}`;
    const isThere = () => {
      try {
        return Deno.statSync(path).isFile;
      } catch {
        return false;
      }
    };
    await until(isThere, `${name} has started`);
    return Number(Deno.readTextFileSync(path));
  }

  /** The process that watches over another. */
  watcherOf(pid: number): number {
    const children = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim().split(" ");
    return children.map(Number).find((child) =>
      Deno.readTextFileSync(`/proc/${child}/cmdline`).includes("\0culvert-watch\0")
    )!;
  }

  [Symbol.dispose]() {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

Deno.test("runLaunches() shows one machine's console as it is, and returns the guest's status", async () => {
  const { stdout, code } = await run(machine(0, "printf 'boot\\nculvert-guest-exit 7\\nhalf'"))
    .ended;
  strictEqual(text(stdout), "boot\nculvert-guest-exit 7\nhalf");
  strictEqual(code, 7);
});

Deno.test("runLaunches() returns QEMU's status if the guest reports none, and never 0", async () => {
  strictEqual((await run(machine(0, "exit 3")).ended).code, 3);
  strictEqual((await run(machine(0, "echo stopped")).ended).code, 1);
});

Deno.test("runLaunches() puts the guest's number before the lines of several machines", async () => {
  const { stdout, stderr, code } = await run(
    machine(0, "echo a; echo warning >&2; echo culvert-guest-exit 0"),
    machine(12, "printf 'b\\nculvert-guest-exit 4\\npart'"),
  ).ended;
  deepStrictEqual(text(stdout).split("\n").sort(), [
    "",
    "[0] a",
    "[0] culvert-guest-exit 0",
    "[12] b",
    "[12] culvert-guest-exit 4",
    "[12] part",
  ]);
  strictEqual(text(stderr), "[0] warning\n");
  strictEqual(code, 4, "the worst");
});

Deno.test("runLaunches() passes SIGTERM on to each machine and waits until all have ended", async () => {
  using pids = new Pids();
  const script = (name: string) =>
    `trap 'echo ended; exit' TERM; ${pids.write(name)} while :; do sleep 0.1; done`;
  const { child, ended } = run(machine(0, script("a")), machine(1, script("b")));
  await pids.read("a");
  await pids.read("b");
  child.kill("SIGTERM");
  const { stdout, code } = await ended;
  strictEqual(code, 143);
  deepStrictEqual(text(stdout).split("\n").sort(), ["", "[0] ended", "[1] ended"]);
});

Deno.test("a machine ends soon after runLaunches() was killed, even if it will not", async () => {
  using pids = new Pids();
  const polite = `trap 'touch ${pids.folder}/asked; exit' TERM; ${pids.write("polite")}` +
    "while :; do sleep 0.1; done";
  const stubborn = `trap '' TERM; ${pids.write("stubborn")} while :; do sleep 0.1; done`;
  const { child, ended } = run(machine(0, polite), machine(1, stubborn));
  const machines = [await pids.read("polite"), await pids.read("stubborn")];
  const watchers = machines.map((pid) => pids.watcherOf(pid));
  child.kill("SIGKILL");
  await ended;
  await until(() => ![...machines, ...watchers].some(runs), "machines and watchers have ended");
  ok(Deno.statSync(`${pids.folder}/asked`).isFile, "it was asked first");
});

Deno.test("no watcher is left when a machine has ended by itself", async () => {
  using pids = new Pids();
  const { child, ended } = run(machine(0, `${pids.write("one")} read -r _; sleep 0.5`));
  const watcher = pids.watcherOf(await pids.read("one"));
  await ended;
  ok(child.pid > 0);
  await until(() => !runs(watcher), "the watcher has ended");
});

Deno.test("runLaunches() says which package brings a missing program", async () => {
  const missing = { guest: 0, program: "/nowhere/qemu-system-x86_64", args: [] };
  await rejects(runLaunches([missing]), /not installed: run "apt-get install qemu-system-x86"/);
});

Deno.test("showLines() waits for a line's end, and shows the last one without", async () => {
  const pieces = ["on", "e\ntwo\n\nthr", "ee"].map((piece) => new TextEncoder().encode(piece));
  const shown: string[] = [];
  const to = {
    write(bytes: Uint8Array) {
      shown.push(text(bytes.subarray(0, 3)));
      return Promise.resolve(Math.min(3, bytes.length)); // a slow pipe takes little at a time
    },
  };
  const tail = await showLines(ReadableStream.from(pieces), "> ", to);
  strictEqual(shown.join(""), "> one\n> two\n> \n> three\n");
  match(tail, /^one\ntwo\n\nthree$/);
});
