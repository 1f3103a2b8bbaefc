import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { exists } from "../kit/processes.ts";
import { PATIENCE_MS, pause, waitUntil } from "../kit/wait.ts";
import { Programs } from "../kit/programs.ts";
import type { Running } from "../kit/running.ts";

const PROGRAM = fileURLToPath(new URL("./deaths.ts", import.meta.url));

/** Where `ip netns` keeps them: there once there has been one. */
const NAMESPACES = "/run/netns";

/** Network namespaces that labs of a process have made: its id is in their names, see `Programs`. */
function namespacesOf(pid: number): string[] {
  if (!exists(NAMESPACES)) return [];
  const id = (pid % 36 ** 3).toString(36);
  const name = new RegExp(`^ns[0-9a-z]{4}${id}[0-9a-z]$`);
  return [...Deno.readDirSync(NAMESPACES)].map((entry) => entry.name).filter((is) => name.test(is));
}

/** Let guests and hosts die, ask for an end amid that, and see that it comes, with `status`. */
async function endsWith(
  status: number,
  under: readonly string[],
  ask: (programs: Programs, deaths: Running) => unknown,
): Promise<string> {
  await using programs = new Programs();
  const args = ["run", "-A", "--no-check", PROGRAM, "--only", "guest,host", "--times", "1000"];
  const deaths = programs.start(...under, Deno.execPath(), ...args);
  assert(await waitUntil(() => namespacesOf(deaths.pid).length === 2), deaths.stderr);
  await pause(500);
  await ask(programs, deaths);
  const { code, stdout, stderr } = await deaths.ended(3 * PATIENCE_MS);
  assert.equal(code, status, stdout + stderr);
  assert.deepEqual(namespacesOf(deaths.pid), []);
  assert.doesNotMatch(stdout, /^host: /m);
  return stdout;
}

for (const [signal, status] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
  Deno.test(`deno task deaths ends with ${status} after ${signal}, and leaves no namespace`, async () => {
    const stdout = await endsWith(status, [], (_, deaths) => deaths.kill(signal));
    assert.match(stdout, /^guest: /m);
  });
}

Deno.test("deno task deaths leaves no namespace when a terminal sends SIGINT to all that it has started, too", async () => {
  const stdout = await endsWith(130, ["setsid"], async (programs, { pid }) => {
    await programs.run("kill", "-INT", "--", `-${pid}`);
  });
  assert.match(stdout, /^guest: /m);
});
