import { fileURLToPath } from "node:url";
import { CulvertError } from "../ffi/error.ts";
import { Child } from "./child.ts";
import { commitOf } from "./machine.ts";
import { type Better, compare, type Measurement } from "./measurement.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** A bench that says nothing for so long hangs; it tells each row, but not each sample. */
const SILENCE_SECONDS = 60;

/** What a bench before this one called its areas. */
const OLD_NAMES: Readonly<Record<string, string>> = { path: "round-trip" };

/** What it called a row, in memory of 4 KiB pages. */
const OLD_ROW = /^memory round trip, (\d+ B)$/;

/** One row of a run of either checkout; those before this one did not tell what is better. */
interface Line {
  readonly name?: string;
  readonly unit: string;
  readonly value: number;
  readonly better?: Better;
}

/**
 * Measure an area of this checkout beside that of another: runs of both benches in turns, each of
 * whole samples and without peers, and the rows that both have. Samples are not short: how soon V8
 * has compiled a loop is no part of its speed.
 *
 * @param directory The other checkout of culvert; its shim is built if need be.
 * @param only What the names of rows have in them, `""` for all.
 * @param report Told each row in the end.
 * @throws {CulvertError} with the last lines of a bench that fails or is silent; or if they share
 * no row.
 */
export async function benchAgainst(
  directory: string,
  area: string,
  turns: number,
  only: string,
  report: (measurement: Measurement) => void,
): Promise<void> {
  const other = (await Deno.realPath(directory)) + "/";
  const oursFirst = [await prepare(ROOT, area, only), await prepare(other, area, only)];
  const values = new Map<string, { line: Line; sides: [number[], number[]] }>();
  for (let turn = 0; turn < turns; turn++) {
    console.error(`${area}: turn ${turn + 1} of ${turns}`);
    for (const [side, run] of oursFirst.entries()) {
      for (const line of await run()) {
        const name = line.name!.replace(OLD_ROW, "memory round trip, 4 KiB pages, $1");
        if (!name.includes(only)) continue;
        const row = values.get(name) ?? { line, sides: [[], []] };
        row.sides[side].push(line.value);
        values.set(name, row);
      }
    }
  }
  const both = [...values].filter(([, { sides }]) => sides.every(({ length }) => length === turns));
  if (both.length === 0) {
    throw new CulvertError(
      `Cannot compare ${area} with ${directory} as the two benches share no row`,
    );
  }
  const peer = `culvert ${await commitOf(other)}`;
  for (const [name, { line: { unit, better = "less" }, sides }] of both) {
    const found = compare(better, sides[0], new Map([[peer, sides[1]]]));
    report({ area, name, unit, better, settings: { turns }, ...found });
  }
}

/** Build a checkout's shim, and find out how its bench is asked for an area. */
async function prepare(
  root: string,
  area: string,
  only: string,
): Promise<() => Promise<Line[]>> {
  const deno = Deno.execPath();
  await run(`shim of ${root}`, [deno, "task", "--quiet", "--config", `${root}deno.json`, "shim"]);
  const bench = [deno, "run", "-A", "--no-check", `${root}bench/main.ts`];
  const usage = await run(`bench of ${root}`, [...bench, "--help"]);
  const what = usage.includes("[AREA]")
    ? [area, "--turns", "1", ...only === "" ? [] : ["--only", only]]
    : ["--only", OLD_NAMES[area] ?? area];
  return async () => {
    const file = await Deno.makeTempFile({ prefix: "culvert-bench-" });
    try {
      const args = [...what, "--no-peers", "--json", file];
      await run(`bench of ${root}`, [...bench, ...args]);
      const lines: Line[] = (await Deno.readTextFile(file)).trim().split("\n")
        .map((line) => JSON.parse(line));
      return lines.filter(({ name }) => name !== undefined);
    } finally {
      await Deno.remove(file);
    }
  };
}

async function run(name: string, command: readonly string[]): Promise<string> {
  await using child = new Child(name, command);
  return await child.finish(SILENCE_SECONDS);
}
