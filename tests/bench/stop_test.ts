import { deepEqual, equal, match, ok } from "node:assert/strict";
import { Programs } from "../kit/programs.ts";
import { pause, until } from "../kit/wait.ts";

const ignore = Deno.uid() !== 0 || navigator.hardwareConcurrency < 2;

/** What a bench has made: namespaces, interfaces, regions, servers and programs, by its pid. */
async function traces(pid: number): Promise<string[]> {
  const lines = async (...command: string[]) => {
    const { stdout } = await new Deno.Command(command[0], { args: command.slice(1) }).output();
    return new TextDecoder().decode(stdout).split("\n").map((line) => line.trim());
  };
  const files = ["/run/culvert", "/dev/shm"].flatMap((path) =>
    [...Deno.readDirSync(path)].map(({ name }) => name)
  );
  const all = [
    ...await lines("ip", "netns", "list"),
    ...await lines("ip", "-brief", "link"),
    ...await lines("ps", "-eo", "args"),
    ...files,
  ];
  // The names of a bench have its pid, those of its network as three digits to the base 36.
  const digits = (pid % 36 ** 3).toString(36).padStart(3, "0");
  const its = new RegExp(`bench-${pid}\\b|cvbr${pid}\\b|\\b(ns|i|o|tap)\\w{4}${digits}\\w\\b`);
  return all.filter((line) => its.test(line));
}

/** The last program that an area starts. */
const PROGRAM = / guest | qemu |guests_process/;

async function benchOf(programs: Programs, area: string, only = "") {
  const command = [
    Deno.execPath(),
    "run",
    "-A",
    "--no-check",
    "bench/main.ts",
    area,
    "--only",
    only,
  ];
  const running = programs.start(...command, "--no-peers", "--turns", "50");
  await until(
    async () => (await traces(running.pid)).some((line) => PROGRAM.test(line)),
    "guest or VM",
  );
  return running;
}

async function leavesNothing(pid: number): Promise<void> {
  let left: string[] = [];
  await until(async () => {
    left = await traces(pid);
    return left.length === 0;
  }, () => `left behind: ${left.join(", ")}`);
}

for (
  const [signal, area, delay] of [
    ["SIGINT", "ports", 0],
    ["SIGTERM", "ports", 1500],
    ["SIGHUP", "ports", 3000],
    ["SIGTERM", "path", 1500],
    ["SIGTERM", "vm", 1500],
  ] as const
) {
  Deno.test(
    { name: `${signal} ends bench ${area}, and leaves nothing behind`, ignore },
    async () => {
      await using programs = new Programs();
      const running = await benchOf(programs, area);
      await pause(delay);
      const { code, stderr } = await running.stop(signal);
      match(stderr, /bench: stopped; what it made is removed/);
      equal(code, 130);
      await leavesNothing(running.pid);
    },
  );
}

for (
  const [area, only, program] of [
    ["path", "hugepages, 64 B", "guest --region"],
    ["scale", "4 guests", "guests_process.ts"],
  ]
) {
  Deno.test(
    { name: `bench ${area} whose guest ends says so`, ignore },
    async () => {
      await using programs = new Programs();
      const running = await benchOf(programs, area, only);
      const { stdout } = await new Deno.Command("pgrep", {
        args: ["-f", `${program} .*culvert-bench-${running.pid}`],
      })
        .output();
      const pids = new TextDecoder().decode(stdout).trim().split("\n").map(Number);
      ok(pids.length === 1 && pids[0] > 0, "one guest");
      Deno.kill(pids[0], "SIGKILL");
      const { code, stdout: verdict, stderr } = await running.ended();
      match(stderr, /with (culvert guest|the guests) as it ended, SIGKILL/);
      match(verdict, new RegExp(`^failed: .*${only}.*SIGKILL$`, "m"));
      equal(code, 1);
      await leavesNothing(running.pid);
      deepEqual(await traces(running.pid), []);
    },
  );
}
