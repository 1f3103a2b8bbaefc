import { deepEqual, ok } from "node:assert/strict";

const ROOT = new URL("../../", import.meta.url).pathname;

/** A change of the project that its tests must notice. */
export interface Mutation {
  readonly what: string;
  /** The file that is changed, below app/. */
  readonly file: string;
  /** What is replaced there, once. */
  readonly from: string;
  readonly to: string;
  /** Which tests are to notice it, below tests/; those of all mutations unless told. */
  readonly tests?: readonly string[];
}

/** Seconds that tests may take over a copy: one that hangs has noticed. */
const PATIENCE = 60;

/** A copy of the project where some layers of app/ can be changed; all else is linked. */
async function copyProject(layers: readonly string[]): Promise<string> {
  const copy = await Deno.makeTempDir({ prefix: "culvert-mutation-" });
  await Deno.mkdir(`${copy}/app`);
  for (const name of ["ffi", "shim", ".cache", "deno.json", "deno.lock", "tests"]) {
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

/** Whether the tests pass over a copy in which `mutation`, if there is one, has been made. */
async function passOver(
  layers: readonly string[],
  mutation: Mutation | undefined,
  tests: readonly string[],
): Promise<boolean> {
  const copy = await copyProject(layers);
  try {
    if (mutation) {
      const path = `${copy}/app/${mutation.file}`;
      await Deno.writeTextFile(path, mutated(await Deno.readTextFile(path), mutation));
    }
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
        mutated(Deno.readTextFileSync(`${ROOT}app/${mutation.file}`), mutation);
        return [];
      } catch (error) {
        return [(error as Error).message];
      }
    });
    deepEqual(wrong, []);
  });

  Deno.test(`the tests of ${what} pass over a copy that nothing was changed in`, async () => {
    const all = new Set([...tests, ...mutations.flatMap(({ tests = [] }) => tests)]);
    ok(await passOver(layers, undefined, [...all]));
  });

  Deno.test(`the tests of ${what} notice each of ${mutations.length} mutations`, async () => {
    const unnoticed: string[] = [];
    const rest = mutations.values();
    const lane = async () => {
      for (const mutation of rest) {
        if (await passOver(layers, mutation, mutation.tests ?? tests)) {
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
