import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { exists } from "../kit/processes.ts";
import { PATIENCE_MS, pause, until } from "../kit/wait.ts";
import { Programs } from "../kit/programs.ts";
import type { Running } from "../kit/running.ts";

const PROGRAM = fileURLToPath(new URL("./deaths.ts", import.meta.url));

/** Where `ip netns` keeps them; it is there once one has been made. */
const NAMESPACES = "/run/netns";

/** Network namespaces that a process has made: its id is in their names, see `Programs`. */
function namespacesOf(pid: number): string[] {
  if (!exists(NAMESPACES)) return [];
  const id = (pid % 36 ** 3).toString(36).padStart(3, "0");
  const name = new RegExp(`^ns[0-9a-z]{4}${id}[0-9a-z]$`);
  return [...Deno.readDirSync(NAMESPACES)].map((entry) => entry.name).filter((is) => name.test(is));
}

for (
  const [title, under, status, ask] of [
    ["ends with 130 after SIGINT", [], 130, (_, deaths) => deaths.kill("SIGINT")],
    ["ends with 143 after SIGTERM", [], 143, (_, deaths) => deaths.kill("SIGTERM")],
    [
      "ends with 130 after a terminal's SIGINT to all its processes",
      ["setsid"],
      130,
      (programs, { pid }) => programs.run("kill", "-INT", "--", `-${pid}`),
    ],
  ] as [string, string[], number, (programs: Programs, deaths: Running) => unknown][]
) {
  Deno.test(`deno task deaths ${title}, and leaves no namespace`, async () => {
    await using programs = new Programs();
    const args = ["run", "-A", "--no-check", PROGRAM, "--only", "guest killed,host killed"];
    const deaths = programs.start(...under, Deno.execPath(), ...args, "--times", "1000");
    await until(() => namespacesOf(deaths.pid).length === 1, () => deaths.stderr);
    await pause(3000);
    await ask(programs, deaths);
    const { code, stdout, stderr } = await deaths.ended(3 * PATIENCE_MS);
    assert.equal(code, status, stdout + stderr);
    assert.deepEqual(namespacesOf(deaths.pid), []);
    assert.match(stdout, /^ended by a signal$/m);
    assert.doesNotMatch(stdout, /host killed/);
  });
}
