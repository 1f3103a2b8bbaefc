import { sourcesIn } from "./source_files.ts";

/** Folders whose tests need no root, no network and no program besides Deno. */
const FOLDERS = [
  ...["ffi", "linux", "memory", "ivshmem", "region", "ring", "mempool", "channel", "port", "lcore"],
  ...["toolkit", "guest", "gen", "host", "sim", "inspect", "doctor", "top", "metrics", "cli"],
  ...["capture", "package", "kit", "stage"],
];

const ENDINGS = ["_test.ts"];

/** The files of the unit tests: those of the folders, and those that are in none. */
export const UNIT_FILES: readonly string[] = [
  ...FOLDERS.flatMap((folder) => sourcesIn(`tests/${folder}/`, ENDINGS)),
  ...sourcesIn("tests/", ENDINGS).filter((file) => file.split("/").length === 2),
];

/**
 * Load one half of the unit tests, four files in turn, into one module: `task ok` runs each half in
 * a process. Deno gives each file of its command line an isolate of its own, which takes longer
 * than the tests of most files.
 */
export async function loadUnitTests(half: 0 | 1): Promise<void> {
  for (const [i, file] of UNIT_FILES.entries()) {
    if ((i >> 2) % 2 === half) await import(new URL(`../${file}`, import.meta.url).href);
  }
}
