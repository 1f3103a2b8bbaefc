import { deepEqual, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Programs } from "../kit/programs.ts";
import { sourcesIn } from "../source_files.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Deno for arm64, as npm has it. */
const DENO_PACKAGE = `@deno/linux-arm64-glibc@${Deno.version.deno}`;

/** Where it is kept. */
const DENO_FOLDER = `${ROOT}.cache/${DENO_PACKAGE.replaceAll("/", "-")}`;

/** The emulator, with the libraries that Debian's cross compiler brings. */
const EMULATOR = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"];

/** An emulated processor is some 30 times slower. */
const EMULATED_MS = 400_000;

/**
 * Tests that fail in QEMU's user mode: it has no preadv2() and pwritev2(), by which an eventfd is
 * used without waiting, and sendmmsg() gives it another errno for what is no socket.
 */
const UNKNOWN_TO_QEMU = [
  /^shim_eventfd_/,
  /^shim_fd_copy\(\) lets a number name another eventfd/,
  /^shim_unix_send\(\) passes a descriptor with its number$/,
  /^shim_packet_\* take 256 frames and no more$/,
];

/** How many tests of the shim pass at least. */
const TESTS_MIN = 60;

/** The files of the shim's tests. */
const FILES = sourcesIn("tests/ffi/").filter((file) => /\/shim_.*_test\.ts$/.test(file));

/** A line of `deno test --reporter=tap`. */
const RESULT = /^(not ok|ok) \d+ - (.*)$/gm;

async function denoForArm(programs: Programs): Promise<string> {
  const deno = `${DENO_FOLDER}/package/deno`;
  if (await Deno.stat(deno).catch(() => undefined)) return deno;
  await Deno.mkdir(DENO_FOLDER, { recursive: true });
  const get = ["npm", "pack", "--prefer-offline", "--loglevel=error", DENO_PACKAGE];
  const { code, stdout, stderr } = await programs.start("env", "-C", DENO_FOLDER, ...get)
    .ended(EMULATED_MS);
  ok(code === 0, stderr);
  const archive = `${DENO_FOLDER}/${stdout.trim()}`;
  await programs.run("tar", "-xzf", archive, "-C", DENO_FOLDER);
  await Deno.remove(archive);
  return deno;
}

Deno.test("The cross-compiled shim passes its unit tests on an emulated arm64", async () => {
  await using programs = new Programs();
  const deno = await denoForArm(programs);
  const clone = await Deno.makeTempDir({ prefix: "culvert-test-" });
  try {
    for (const name of ["app", "ffi", "shim", "tests", "deno.json", ".import_map.json"]) {
      await programs.run("cp", "-r", ROOT + name, clone);
    }
    const library = `${clone}/.cache/shim/libculvert.so`;
    await programs.run(Deno.execPath(), "run", "-A", "shim/build.ts", library, "aarch64");
    const { stdout, stderr } = await programs.start(
      ...["env", "-C", clone, "NO_COLOR=1", ...EMULATOR, deno],
      ...["test", "-A", "-q", "--no-check", "--reporter=tap", ...FILES],
    ).ended(EMULATED_MS);
    const results = [...stdout.matchAll(RESULT)].map(([, result, name]) => ({ result, name }));
    const failed = results.filter(({ result }) => result !== "ok").map(({ name }) => name);
    const isKnown = (name: string) => UNKNOWN_TO_QEMU.some((pattern) => pattern.test(name));
    deepEqual(failed.filter((name) => !isKnown(name)), [], stderr);
    ok(results.length - failed.length >= TESTS_MIN, `${results.length} tests: ${stdout}${stderr}`);
  } finally {
    await Deno.remove(clone, { recursive: true });
  }
});
