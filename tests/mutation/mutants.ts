import { deepEqual, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** A change of the project that its tests must notice. */
export interface Mutation {
  readonly what: string;
  /** The file that is changed, below app/; or in shim/, if it begins with that. */
  readonly file: string;
  /** What is replaced there, once. */
  readonly from: string;
  readonly to: string;
  /** Which tests are to notice it, below tests/; those of all mutations unless told. */
  readonly tests?: readonly string[];
}

const isOfShim = (file: string) => file.startsWith("shim/");

/** Where a mutation's file lies, from the root of the project or a copy on. */
const pathOf = (file: string) => isOfShim(file) ? file : `app/${file}`;

/** Seconds that tests may take over a copy: one that hangs has noticed. */
const PATIENCE = 60;

/** A copy of the project where some layers of app/ can be changed; all else is linked. */
async function copyProject(layers: readonly string[]): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "culvert-mutation-" });
  await Deno.mkdir(`${copy}/app`);
  for (
    const name of ["ffi", "shim", ".cache", "deno.json", "import_map.json", "deno.lock", "tests"]
  ) {
    await Deno.symlink(ROOT + name, `${copy}/${name}`);
  }
  for (const { name, isDirectory } of Deno.readDirSync(`${ROOT}app`)) {
    if (!layers.includes(name)) {
      await Deno.symlink(`${ROOT}app/${name}`, `${copy}/app/${name}`);
      continue;
    }
    ok(isDirectory);
    await Deno.mkdir(`${copy}/app/${name}`);
    for (const file of Deno.readDirSync(`${ROOT}app/${name}`)) {
      await Deno.copyFile(`${ROOT}app/${name}/${file.name}`, `${copy}/app/${name}/${file.name}`);
    }
  }
  return copy;
}

/** Give a copy a shim of its own, instead of the links to ours; it is yet to be built. */
async function copyShim(copy: string): Promise<void> {
  for (const name of ["shim", ".cache"]) {
    await Deno.remove(`${copy}/${name}`);
    await Deno.mkdir(`${copy}/${name}`);
  }
  for (const { name } of Deno.readDirSync(`${ROOT}shim`)) {
    await Deno.copyFile(`${ROOT}shim/${name}`, `${copy}/shim/${name}`);
  }
}

/** Build a copy's own shim. */
async function buildShim(copy: string): Promise<void> {
  const args = ["run", "-A", "--no-check", "shim/build.ts"];
  const { success, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: copy }).output();
  ok(success, new TextDecoder().decode(stderr));
}

/** A file's text with a mutation, which must change one place. */
function mutated(text: string, { file, from, to }: Mutation): string {
  const places = text.split(from).length - 1;
  ok(places === 1, `${file} has ${places} times what "${from}" says: say it anew`);
  return text.replace(from, () => to);
}

/** Whether the tests pass over a copy. */
async function pass(copy: string, tests: readonly string[]): Promise<boolean> {
  const { success } = await new Deno.Command("timeout", {
    args: ["-k", "1", String(PATIENCE), Deno.execPath(), "test", "-A", "--no-check", "--fail-fast"]
      .concat(tests.map((test) => `tests/${test}`)),
    cwd: copy,
    stdout: "null",
    stderr: "null",
  }).output();
  return success;
}

/**
 * Whether the tests pass over a copy in which `mutation`, if there is one, has been made; with a shim
 * built there, or ours.
 */
async function passOver(
  layers: readonly string[],
  mutation: Mutation | undefined,
  tests: readonly string[],
  buildsShim: boolean,
): Promise<boolean> {
  const copy = await copyProject(layers);
  try {
    if (buildsShim) await copyShim(copy);
    if (mutation) {
      const path = `${copy}/${pathOf(mutation.file)}`;
      await Deno.writeTextFile(path, mutated(await Deno.readTextFile(path), mutation));
    }
    if (buildsShim) await buildShim(copy);
    return await pass(copy, tests);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

/**
 * Test that the tests of `what` pass, and that at least one of them fails with each mutation.
 *
 * @param layers The folders of app/ that the mutations are in.
 * @param tests Those that are to notice a mutation unless it says otherwise.
 */
export function testMutations(
  what: string,
  layers: readonly string[],
  tests: readonly string[],
  mutations: readonly Mutation[],
): void {
  Deno.test(`each mutation of ${what} changes one place`, () => {
    const wrong = mutations.flatMap((mutation) => {
      try {
        mutated(Deno.readTextFileSync(ROOT + pathOf(mutation.file)), mutation);
        return [];
      } catch (error) {
        return [(error as Error).message];
      }
    });
    deepEqual(wrong, []);
  });

  Deno.test(`the tests of ${what} pass over a copy that nothing was changed in`, async () => {
    const all = new Set([...tests, ...mutations.flatMap(({ tests = [] }) => tests)]);
    ok(await passOver(layers, undefined, [...all], mutations.some(({ file }) => isOfShim(file))));
  });

  Deno.test(`the tests of ${what} notice each of ${mutations.length} mutations`, async () => {
    const unnoticed: string[] = [];
    const rest = mutations.values();
    const lane = async () => {
      for (const mutation of rest) {
        const { file, tests: own = tests } = mutation;
        if (await passOver(layers, mutation, own, isOfShim(file))) {
          unnoticed.push(mutation.what);
        }
      }
    };
    // To the end of both, whatever happens: copies are removed.
    const ends = await Promise.allSettled([lane(), lane()]);
    deepEqual(ends.flatMap((end) => end.status === "rejected" ? [String(end.reason)] : []), []);
    deepEqual(unnoticed, []);
  });
}
