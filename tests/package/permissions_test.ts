import { deepEqual, equal, ok } from "node:assert/strict";
import { denoFlags, PERMITTED } from "../../app/package/permissions.ts";
import { COMMANDS } from "../../app/cli/commands.ts";
import { readSource } from "../source_files.ts";

const CLONE = { code: ".", shim: ".cache/shim/libculvert.so" };
const { tasks } = JSON.parse(readSource("deno.json"));

Deno.test("denoFlags() knows each command", () => {
  deepEqual([...PERMITTED].sort(), COMMANDS.map(({ table }) => table.name).sort());
});

/** The task of a command whose name another task has. */
const TASKS: Readonly<Record<string, string>> = { check: "check-config" };

for (const command of PERMITTED) {
  Deno.test(`deno task ${command} has the permissions that the package's launcher gives`, () => {
    const lock = " --lock=deno.lock"; // for the packages that some tasks import
    equal(
      tasks[TASKS[command] ?? command].command.replace(lock, ""),
      ["deno run", ...denoFlags(command, CLONE), `app/main.ts ${command}`].join(" "),
    );
  });
}

Deno.test("only commands that start other programs, or read other processes' /proc, may do everything", () => {
  const all = PERMITTED.filter((command) => denoFlags(command, CLONE).includes("-A"));
  deepEqual(all, ["image", "qemu", "push", "plug", "unplug", "inspect", "vm-install", "doctor"]);
  ok(!denoFlags("guest", CLONE).some((flag) => flag.startsWith("--allow-write")));
});
