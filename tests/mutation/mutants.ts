import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A change of the project that its tests must notice. */
export interface Mutation {
  /** What is wrong then. */
  readonly what: string;
  /** The file that is changed, below app/; or in shim/, if it begins with that. */
  readonly file: string;
  /** What is replaced there, once. */
  readonly from: string;
  readonly to: string;
  /** The tests that must notice it, below tests/; those of the table unless told. */
  readonly tests?: readonly string[];
}

/** Mutations of one subject. */
export interface Table {
  readonly what: string;
  /** The tests that must notice a mutation unless it says otherwise, below tests/. */
  readonly tests: readonly string[];
  readonly mutations: readonly Mutation[];
}

const isOfShim = (file: string) => file.startsWith("shim/");

/** Where a mutation's file lies, from the root of the project or of a copy. */
const pathOf = (file: string) => isOfShim(file) ? file : `app/${file}`;

/** Seconds that tests may take over a copy: a test that hangs has noticed the mutation. */
const PATIENCE = 60;

/** How often tests may try to notice a mutation: some need two threads to meet. */
const TRIES = 3;

/** What a copy of the project links to. */
const LINKED = ["ffi", "shim", ".cache", "deno.json", ".import_map.json", "deno.lock", "tests"];

/** A copy of a folder whose folders are links. */
async function copyFolder(folder: string, copy: string): Promise<void> {
  await Deno.mkdir(`${copy}/${folder}`);
  for (const { name, isDirectory } of Deno.readDirSync(ROOT + folder)) {
    const [from, to] = [`${ROOT}${folder}/${name}`, `${copy}/${folder}/${name}`];
    await (isDirectory ? Deno.symlink(from, to) : Deno.copyFile(from, to));
  }
}

/** A copy of the project where `file` can be changed. All folders but its own are links. */
async function copyProject(file: string): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "culvert-mutation-" });
  const ownsShim = isOfShim(file);
  for (const name of LINKED) {
    if (ownsShim && (name === "shim" || name === ".cache")) continue;
    await Deno.symlink(ROOT + name, `${copy}/${name}`);
  }
  await copyFolder("app", copy);
  if (ownsShim) {
    await copyFolder("shim", copy);
    await Deno.mkdir(`${copy}/.cache`);
  } else if (file.includes("/")) {
    const folder = `app/${file.split("/")[0]}`;
    await Deno.remove(`${copy}/${folder}`);
    await copyFolder(folder, copy);
  }
  return copy;
}

async function output(copy: string, args: readonly string[]): Promise<Deno.CommandOutput> {
  const command = new Deno.Command(args[0], { args: args.slice(1), cwd: copy });
  return await command.output();
}

async function buildShim(copy: string): Promise<void> {
  const args = [Deno.execPath(), "run", "-A", "--no-check", "shim/build.ts"];
  const { success, stderr } = await output(copy, args);
  if (success) return;
  throw new CulvertError(
    `Cannot build the shim with a mutation as cc refused it:\n${new TextDecoder().decode(stderr)}`,
  );
}

/** A file's text with a mutation. */
function mutated(text: string, { what, file, from, to }: Mutation): string {
  const places = text.split(from).length - 1;
  if (places === 1) return text.replace(from, () => to);
  throw new CulvertError(
    `Cannot break ${file} so that ${what} as it has ${places} times: ${from}\nadapt the mutation`,
  );
}

/** What keeps a mutation from being tried: the file has changed, or a test has gone. */
export function misfit(table: Table, mutation: Mutation): string | undefined {
  try {
    mutated(Deno.readTextFileSync(ROOT + pathOf(mutation.file)), mutation);
    for (const test of mutation.tests ?? table.tests) Deno.statSync(`${ROOT}tests/${test}`);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Whether tests pass over a copy of the project where `file` is as `change` makes it. */
async function passOver(
  file: string,
  tests: readonly string[],
  change: (text: string) => string = (text) => text,
): Promise<boolean> {
  const copy = await copyProject(file);
  try {
    const path = `${copy}/${pathOf(file)}`;
    await Deno.writeTextFile(path, change(await Deno.readTextFile(path)));
    if (isOfShim(file)) await buildShim(copy);
    const { success } = await output(copy, [
      ...["timeout", "-k", "1", String(PATIENCE)],
      ...[Deno.execPath(), "test", "-A", "--no-check", "--fail-fast"],
      ...tests.map((test) => `tests/${test}`),
    ]);
    return success;
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

/** Whether a mutated source can be parsed: tests would notice a mutation that is a syntax error. */
async function isParsed(mutation: Mutation): Promise<boolean> {
  if (isOfShim(mutation.file)) return true; // buildShim() throws
  const text = mutated(Deno.readTextFileSync(ROOT + pathOf(mutation.file)), mutation);
  const command = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext", "ts", "-"],
    stdin: "piped",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const writer = command.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  return (await command.status).success;
}

/** Complaints about tests that fail over unchanged copies: mutations show nothing then. */
async function tryUnchanged(table: Table, mutations: readonly Mutation[]): Promise<string[]> {
  const folderOf = ({ file }: Mutation) => file.split("/")[0];
  const wrong: string[] = [];
  for (const [folder, some] of Object.entries(Object.groupBy(mutations, folderOf))) {
    const tests = [...new Set(some!.flatMap(({ tests = table.tests }) => tests))];
    if (!await passOver(some![0].file, tests)) wrong.push(`${folder}: tests fail: ${tests}`);
  }
  return wrong;
}

async function isNoticed(table: Table, mutation: Mutation): Promise<boolean> {
  const { file, tests = table.tests } = mutation;
  for (let i = 0; i < TRIES; i++) {
    if (!await passOver(file, tests, (text) => mutated(text, mutation))) return true;
  }
  return false;
}

/**
 * Try mutations of a table, two at a time.
 *
 * @returns what is wrong: mutations that no test noticed, or that show nothing.
 */
export async function tryMutations(
  table: Table,
  mutations: readonly Mutation[] = table.mutations,
): Promise<string[]> {
  const wrong = await tryUnchanged(table, mutations);
  const rest = mutations.values();
  const lane = async () => {
    for (const mutation of rest) {
      if (!await isParsed(mutation)) wrong.push(`not parsed: ${mutation.what}`);
      else if (!await isNoticed(table, mutation)) wrong.push(`not noticed: ${mutation.what}`);
    }
  };
  // Both to their end, so that copies are removed.
  const ends = await Promise.allSettled([lane(), lane()]);
  for (const end of ends) if (end.status === "rejected") wrong.push(String(end.reason));
  return wrong;
}
