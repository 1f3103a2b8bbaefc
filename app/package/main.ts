/**
 * `deno task package`: make the npm package culvert-net in .cache/package, and pack it there.
 *
 * @module
 */
import { CulvertError } from "../../ffi/error.ts";
import { takesAbout } from "../cli/duration.ts";
import { runProgram } from "../cli/run_program.ts";
import { writeDocuments } from "./documents.ts";
import { launcherText } from "./launcher.ts";
import { EXPORTS, manifestText } from "./manifest.ts";
import { ROOT, write, writeModules, writeTypes } from "./modules.ts";

/** Where the package is made. */
const FOLDER = `${ROOT}.cache/package`;

/** Machines that the package has a shim for, as Deno calls them. */
const ARCHES = ["x86_64", "aarch64"];

/** How the compiler makes a small shim: without symbols, and what only debuggers unwind by. */
const SMALL = ["-s", "-fno-asynchronous-unwind-tables"];

/** Run a program in a folder; its output goes to ours. */
async function run(cwd: string, ...[program, ...args]: readonly string[]): Promise<void> {
  const { success } = await new Deno.Command(program, { args, cwd }).spawn().status;
  if (!success) throw new CulvertError(`Cannot make the package as ${program} failed: see above`);
}

/** Whether a program is in PATH. */
async function isThere(program: string): Promise<boolean> {
  const args = ["-c", `command -v ${program}`];
  return (await new Deno.Command("sh", { args, stdout: "null" }).output()).success;
}

/** The shim for each machine: where no cross compiler is, that machine's users build it. */
async function buildShims(): Promise<void> {
  for (const arch of ARCHES) {
    const compiler = `${arch}-linux-gnu-gcc`;
    if (arch !== Deno.build.arch && !await isThere(compiler)) {
      console.error(
        `The package has no shim for ${arch} as there is no ${compiler}: on Debian\n` +
          `  apt-get install --no-install-recommends gcc-${arch}-linux-gnu libc6-dev-` +
          `${arch === "aarch64" ? "arm64" : "amd64"}-cross`,
      );
      continue;
    }
    const library = `${FOLDER}/dist/lib/${arch}/libculvert.so`;
    await run(ROOT, Deno.execPath(), "run", "-A", "shim/build.ts", library, arch, ...SMALL);
  }
}

/** The exact version of a package that .import_map.json names. */
async function versionOf(name: string): Promise<string> {
  const { imports } = JSON.parse(await Deno.readTextFile(`${ROOT}.import_map.json`));
  return imports[name].slice(`npm:${name}@`.length);
}

/** The import map of a user's functions that lie in no project with the package. */
function importsText(): string {
  const imports = Object.entries(EXPORTS).map(([name, module]) => [
    name.replace(".", "culvert-net"),
    `./${module}.js`,
  ]);
  return JSON.stringify({ imports: Object.fromEntries(imports) }, null, 2) + "\n";
}

/** Seconds that making the package takes, most of them for types and shims. */
const SECONDS = 20;

async function main(): Promise<number> {
  console.error(`makes the package culvert-net: ${takesAbout(SECONDS)}`);
  await Deno.remove(FOLDER, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
  await write(`${FOLDER}/bin/culvert`, launcherText());
  await Deno.chmod(`${FOLDER}/bin/culvert`, 0o755);
  await writeModules(`${FOLDER}/dist`);
  await write(`${FOLDER}/dist/imports.json`, importsText());
  for (const { name } of Deno.readDirSync(`${ROOT}shim`)) {
    if (/\.[ch]$/.test(name)) {
      await Deno.copyFile(`${ROOT}shim/${name}`, `${FOLDER}/dist/shim/${name}`);
    }
  }
  await buildShims();
  const page = `${FOLDER}/dist/page/index.html`;
  await run(
    ROOT,
    Deno.execPath(),
    "run",
    "-A",
    "--lock=deno.lock",
    "app/metrics/page/build.ts",
    page,
  );
  await writeTypes(Object.values(EXPORTS).map((module) => `${module}.ts`), `${FOLDER}/types`);
  const dependencies = {
    deno: Deno.version.deno,
    esbuild: await versionOf("esbuild"),
    "hdr-histogram-js": await versionOf("hdr-histogram-js"),
    "@opentelemetry/api": await versionOf("@opentelemetry/api"),
    "toml-eslint-parser": await versionOf("toml-eslint-parser"),
    valibot: await versionOf("valibot"),
  };
  await write(`${FOLDER}/package.json`, manifestText(dependencies));
  await writeDocuments(FOLDER);
  await run(FOLDER, "npm", "pack", "--loglevel=error");
  return 0;
}

if (import.meta.main) await runProgram("package", main);
