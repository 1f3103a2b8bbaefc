import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../app/main.ts", import.meta.url));

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Run a program to its end, with `input` on its stdin. */
export async function run(
  program: string,
  args: readonly string[],
  input = "",
): Promise<Ended> {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const [told, failed] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { code, stdout: told, stderr: failed };
}

/** Run `culvert ARGS`, without any permission. */
export function culvert(...args: string[]): Promise<Ended> {
  return run(Deno.execPath(), ["run", "--no-prompt", MAIN, ...args]);
}
