import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import { Folder } from "../ffi/folder.ts";

/** Macros that a model is preprocessed with. */
export type Defines = Readonly<Record<string, string | number | boolean>>;

/** What Spin found. */
export interface Verdict {
  /** The property that does not hold, such as "read before written"; undefined if all hold. */
  readonly violation?: string;
  /** Whether all states that there are were searched. It is false where something was violated. */
  readonly isComplete: boolean;
  /** States that were searched. */
  readonly states: number;
  /** Statements of the model that no search came to. */
  readonly unreached: readonly string[];
  /** The way to the violation, if there is one: a line for each access to memory. */
  readonly trail: readonly string[];
}

/** Steps that a search may be deep; each takes 28 bytes. */
const DEPTH = 1_000_000;

/** What Spin says when no process can go on and not all have ended. */
const DEADLOCK = "invalid end state";

/** How the models call what must not happen: `assert(!read_before_written)`. */
const ASSERTION = /assertion violated !\(\(*([a-z_]+)\)*\)/;

async function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<string> {
  const command = new Deno.Command(program, { args: [...args], cwd, env });
  const { code, stdout, stderr } = await command.output().catch((error) => {
    throw new CulvertError(
      `Cannot verify a model as ${program} does not start (${error.message}): ` +
        `apt-get install -y --no-install-recommends spin gcc libc6-dev`,
    );
  });
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  if (code === 0) return text;
  throw new CulvertError(`Cannot verify a model as ${program} exits with ${code}: ${text.trim()}`);
}

/** Where a model lies. */
export function pathOf(model: string): string {
  return fileURLToPath(new URL(`${model}.pml`, import.meta.url));
}

/** The ordering edges of a model: each can be taken away by defining it as false. */
export function edgesOf(model: string): string[] {
  const text = Deno.readTextFileSync(pathOf(model));
  return [...text.matchAll(/^#ifndef (\w+).*\n#define \1 true$/gm)].map(([, edge]) => edge);
}

/** All states, the first violation to be found, or the shortest way to one. */
export type Search = "all" | "violation" | "shortest";

const COMPILE: Readonly<Record<Search, readonly string[]>> = {
  all: ["-O1"],
  violation: ["-O0"], // compiled sooner
  shortest: ["-O1", "-DBFS"],
};

/**
 * Search the states of a model until something is violated, or all of them.
 *
 * @throws {CulvertError} if Spin or the C compiler is missing, or the model is wrong or too small.
 */
export async function verify(
  model: string,
  defines: Defines = {},
  search: Search = "all",
): Promise<Verdict> {
  using folder = new Folder();
  const { path } = folder;
  const macros = await compile(path, model, defines, search);
  const report = await run(`${path}/pan`, [`-m${DEPTH}`], path);
  const violation = violationIn(report, model);
  return {
    violation,
    isComplete: !/not completed|too small|out of memory|truncated|-DMEMLIM/.test(report),
    states: Number(/([\d.e+]+) states, stored/.exec(report)?.[1] ?? 0),
    unreached: [...report.matchAll(/^\t(\S+, state .*)$/gm)].map(([, statement]) => statement),
    trail: violation === undefined ? [] : trailIn(
      await run("spin", [...macros, "-p", "-T", "-k", `${model}.pml.trail`, pathOf(model)], path),
    ),
  };
}

/**
 * Search the states of a model for a violation once for each of `choices`: environment variables
 * that the model reads when it runs.
 *
 * @returns the property that does not hold, for each.
 * @throws {CulvertError} as {@linkcode verify} does.
 */
export async function verifyEach(
  model: string,
  defines: Defines,
  choices: readonly Readonly<Record<string, string>>[],
): Promise<(string | undefined)[]> {
  using folder = new Folder();
  const { path } = folder;
  await compile(path, model, { ...defines, CHOSEN_WHEN_RUN: true }, "violation");
  const violations = [];
  for (const choice of choices) {
    violations.push(violationIn(await run(`${path}/pan`, [`-m${DEPTH}`], path, choice), model));
  }
  return violations;
}

/**
 * What breaks a model without each one of `edges`, of which it is told when it is run.
 *
 * @throws {CulvertError} as {@linkcode verify} does.
 */
export async function verifyWithoutEach(
  model: string,
  defines: Defines,
  edges: readonly string[],
): Promise<(string | undefined)[]> {
  const needs = edges.map((edge, i) => [edge, `'(missing != ${i})'`]); // for Spin's shell
  return await verifyEach(
    model,
    { ...defines, ...Object.fromEntries(needs) },
    edges.map((_, i) => ({ MISSING: `${i}` })),
  );
}

/** Make `pan` in `path`; returns the macros as Spin wants them. */
async function compile(path: string, model: string, defines: Defines, search: Search) {
  const macros = Object.entries(defines).map(([name, value]) => `-D${name}=${value}`);
  await run("spin", [...macros, "-a", pathOf(model)], path);
  await run("cc", [...COMPILE[search], "-w", "-DSAFETY", "-o", "pan", "pan.c"], path);
  return macros;
}

/** Do it for each item, two at a time: one takes up to half a gigabyte. */
export async function forEachTwo<T>(items: readonly T[], act: (item: T) => Promise<void>) {
  const rest = items.values();
  const lane = async () => {
    for (const item of rest) await act(item);
  };
  await Promise.all([lane(), lane()]);
}

function violationIn(report: string, model: string): string | undefined {
  if (/errors: 0$/m.test(report)) return undefined;
  if (report.includes(`pan:1: ${DEADLOCK}`)) return "deadlock";
  const property = ASSERTION.exec(report.replaceAll("  ", " "))?.[1];
  if (property !== undefined) return property.replaceAll("_", " ");
  throw new CulvertError(
    `Cannot verify ${model}.pml as the search ends otherwise than by one of its properties: ` +
      `mend the model\n${report.trim()}`,
  );
}

/** The lines that models print, `2: ...`, with the name of process 2 in place of a number alone. */
function trailIn(output: string): string[] {
  const names = new Map(
    [...output.matchAll(/proc +(\d+) \(:?(\w+)/g)].map(([, process, name]) => [process, name]),
  );
  return [...output.matchAll(/^ *(\d+): (?!\s*proc)(.*)$/gm)].map(([, process, what]) =>
    `${names.get(process)} ${process}: ${what.replace(/, 0 newer$/, "")}`
  );
}
