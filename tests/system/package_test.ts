import { deepEqual, equal, match, ok } from "node:assert/strict";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { versionText } from "../../app/cli/version.ts";
import { frame } from "../../app/testing.ts";
import { pcapFile } from "../capture/capture_files.ts";
import { InstalledPackage } from "../kit/installed_package.ts";

/** As much as a package may have, in bytes. */
const PACKAGE_MAX = 500_000;

/** A network function, in a file of a user's. */
const FUNCTION = `
import type { Burst } from "culvert-net/function";
import { ethernet, ETHERTYPE } from "culvert-net/function";

export default function (burst: Burst) {
  for (let i = 0; i < burst.count; i++) {
    if (ethernet.type(burst, i) === ETHERTYPE.ARP) burst.drop(i);
  }
}
`;

/** A program that uses the library, and tries a function. */
const PROGRAM = `
import { addMemzone, attachMemzone, attachRegion, hostRegion } from "culvert-net";
import { frame, tryFunction } from "culvert-net/testing";
import * as mine from "./mine.ts";

const path = \`/dev/shm/culvert-test-\${Deno.pid}\`;
using host = await hostRegion(path, 1 << 20);
addMemzone(host.region, "config", 64, (zone) => zone.u8.set(new TextEncoder().encode("vlan 7")));
host.region.publish();
using guest = attachRegion(path);
const { sent } = await tryFunction(mine, [frame.udp(), frame.arp()]);
console.log(attachMemzone(guest.region, "config").text(), sent.length);
`;

/** A function that uses what {@linkcode projectIn} lets it import. */
const MAPPED = `
export function setup({ counter }: Context) {
  counter(\`\${foo} and \${bar}\`).add();
  return (burst: Burst) => burst.drop(0);
}
`;

/** Make a project in which functions may import what lies elsewhere; returns how. */
async function projectIn(folder: string) {
  for (const below of ["src", "lib", "node_modules/foo"]) {
    await Deno.mkdir(`${folder}/${below}`, { recursive: true });
  }
  const write = (name: string, text: string) => Deno.writeTextFile(`${folder}/${name}`, text);
  await write("deno.json", '{ "imports": { "@lib/": "./lib/" } } // mine');
  await write("lib/bar.ts", "export const bar: number = 7;");
  await write(
    "node_modules/foo/package.json",
    '{ "name": "foo", "main": "foo.js", "types": "foo.d.ts" }',
  );
  await write("node_modules/foo/foo.js", "export const foo = 42;");
  await write("node_modules/foo/foo.d.ts", "export declare const foo: number;");
  await Deno.writeFile(
    `${folder}/in.pcap`,
    pcapFile(true, false, [{ time: 0n, bytes: frame.udp() }]),
  );
  const imports = `import type { Burst, Context } from "culvert-net/function";
import { foo } from "foo";
import { bar } from "@lib/bar.ts";
`;
  return { imports, capture: "in.pcap" };
}

/** The highest version of glibc that a library asks for: the minor number. */
async function glibcOf(library: string): Promise<number> {
  const text = new TextDecoder("latin1").decode(await Deno.readFile(library));
  return Math.max(
    ...[...text.matchAll(/\0GLIBC_2\.(\d+)(?=[.\0])/g)].map(([, minor]) => Number(minor)),
  );
}

Deno.test("The npm package, in a folder with a space", async (t) => {
  await using installed = await InstalledPackage.create();
  const { folder } = installed;
  const root = `${folder}/prefix/lib/node_modules/culvert-net`;
  await Deno.mkdir(`${folder}/functions`);
  await Deno.mkdir(`${folder}/elsewhere`);
  await Deno.writeTextFile(`${folder}/functions/mine.ts`, FUNCTION);

  await t.step("types name no file that is not there", () => {
    const files = readdirSync(`${root}/types`, { encoding: "utf8", recursive: true });
    const types = files.filter((file) => file.endsWith(".d.ts")).map((file) =>
      `${root}/types/${file}`
    );
    ok(types.length > 10);
    for (const file of types) {
      const text = Deno.readTextFileSync(file);
      for (const [, path] of text.matchAll(/^(?! *\*).*"(\.[^"]+)\.js"/gm)) {
        Deno.statSync(join(dirname(file), `${path}.d.ts`));
      }
    }
  });

  await t.step(`has less than ${PACKAGE_MAX} bytes and no install scripts`, async () => {
    ok((await Deno.stat(installed.tarball)).size < PACKAGE_MAX);
    const { scripts, dependencies } = JSON.parse(
      await Deno.readTextFile(`${root}/package.json`),
    );
    equal(scripts, undefined);
    equal(dependencies.deno, Deno.version.deno);
  });

  await t.step(
    "has the guide to functions, the examples, and no link that leads nowhere",
    async () => {
      for (const document of ["README.md", "app/guest/README.md"]) {
        const text = await Deno.readTextFile(`${root}/${document}`);
        const links = [...text.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path]) => path);
        ok(links.length > 0, `${document} has no links`);
        for (const path of links) await Deno.stat(new URL(path, `file://${root}/${document}`));
      }
      const examples = [...Deno.readDirSync(`${root}/app/guest/examples`)];
      ok(examples.some(({ name }) => name === "napt.ts"));
    },
  );

  await t.step("has shims that need no newer glibc than Deno: 2.27", async () => {
    for (const arch of ["x86_64", "aarch64"]) {
      ok(await glibcOf(`${root}/dist/lib/${arch}/libculvert.so`) <= 27, arch);
    }
  });

  await t.step("culvert --version and culvert layout work", async () => {
    const version = await installed.command("elsewhere", "--version").ended();
    equal(version.stdout, versionText() + "\n", version.stderr);
    const alone = await installed.command("elsewhere").ended();
    equal(alone.code, 2);
    match(alone.stderr, /usage: culvert COMMAND[^]* host .*open ports/);
    const layout = await installed.command("elsewhere", "layout").ended();
    equal(layout.code, 0, layout.stderr);
    match(layout.stdout, /core 0/);
  });

  await t.step("culvert check reads a configuration, relative to the caller", async () => {
    const config = '[[region]]\nname = "a"\nports = ["null"]\n';
    await Deno.writeTextFile(`${folder}/functions/a.toml`, config);
    const { stdout, stderr } = await installed.command("functions", "check", "a.toml").ended();
    equal(stdout, "a.toml: 1 region, 1 guest, 1 port\n", stderr);
  });

  await t.step(
    "--show-permissions tells what a guest may do, its function's folder too",
    async () => {
      const args = ["guest", "--function", "../functions/mine.ts"];
      const { stdout } = await installed.command("elsewhere", "--show-permissions", ...args)
        .ended();
      deepEqual(stdout.trim().split("\n"), [
        "--no-prompt",
        `--allow-ffi=${root}/dist/lib/${Deno.build.arch}/libculvert.so`,
        `--allow-read=${root}/dist,../functions`,
      ]);
    },
  );

  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    await t.step(
      `host and guest forward; ${signal} to the command ends them in order`,
      async () => {
        const region = installed.name("test-");
        const ports = ["--port", "null:", "--port", "null:"];
        const host = installed.command("elsewhere", "host", "--region", region, ...ports);
        await host.stderrLine(/ is ready/);
        const options = ["--region", region, "--function", "../functions/mine.ts"];
        const guest = installed.command("elsewhere", "guest", ...options);
        await guest.stderrLine(/forwarding \(mine\.ts\)/);
        await host.stderrLine(new RegExp(`guest 0 attached \\(own pid ${guest.pid}\\)`));
        const inspect = await installed.command("elsewhere", "inspect", region).ended();
        match(inspect.stdout, /host +READY, alive/, inspect.stderr);
        for (
          const [running, summary] of [[guest, /received \d+ frames/], [host, /mbufs: /]] as const
        ) {
          const { code, stdout, stderr } = await running.stop(signal);
          equal(code, 0, stderr);
          match(stdout + stderr, summary);
        }
      },
    );
  }

  await t.step(
    "its caches are in $XDG_CACHE_HOME/culvert, and nothing is where it ran",
    () => {
      deepEqual([...Deno.readDirSync(`${folder}/caches`)].map(({ name }) => name), ["culvert"]);
      deepEqual([...Deno.readDirSync(`${folder}/elsewhere`)], []);
    },
  );

  await t.step(
    "a function imports by its project's import map, and from node_modules",
    async () => {
      const { imports, capture } = await projectIn(`${folder}/mapped`);
      await Deno.writeTextFile(`${folder}/mapped/src/mine.ts`, imports + MAPPED);
      const ran = await installed.command("mapped", "try", "src/mine.ts", capture).ended();
      match(ran.stdout, /^counted 42 and 7: 1$/m, ran.stderr);
      const args = ["guest", "--function", "../mapped/src/mine.ts"];
      const shown = await installed.command("elsewhere", "--show-permissions", ...args).ended();
      ok(shown.stdout.includes(`,${folder}/mapped/lib\n`), shown.stdout);
    },
  );

  await t.step(
    "--types shows what deno check says, and lets a function start no program",
    async () => {
      const at = (text: string, ...options: string[]) => {
        Deno.writeTextFileSync(`${folder}/mapped/src/mine.ts`, text);
        return installed.command("mapped", "try", "src/mine.ts", "in.pcap", ...options).ended();
      };
      const { imports } = await projectIn(`${folder}/mapped`);
      const wrong = await at(
        `${imports}export default (burst: Burst) => burst.dorp(bar);`,
        "--types",
      );
      equal(wrong.code, 1);
      match(
        wrong.stderr,
        /^culvert: Cannot use src\/mine\.ts as deno check says:\nTS2339 \[ERROR\]: /,
      );
      match(wrong.stderr, /burst\.dorp\(bar\);\n *~{4}\n *at file:.*mapped\/src\/mine\.ts:4:/);
      await Deno.writeTextFile(`${folder}/mapped/other.ts`, "export const a: number = '';");
      const right = await at(imports + MAPPED, "--types");
      equal(right.code, 0, right.stderr);
      const runs =
        "export const setup = () => { new Deno.Command(Deno.execPath()).outputSync(); };";
      match(
        (await at(runs, "--types")).stderr,
        /Cannot set up function mine\.ts .*Requires run access/,
      );
      const { stdout } = await installed.command("mapped", "--show-permissions", "try", "a.ts")
        .ended();
      ok(!stdout.includes("allow-run"));
    },
  );

  await t.step(
    "a guest takes what is saved if --types finds no fault, and what is pushed",
    async () => {
      const region = installed.name("test-");
      const host = installed.command("elsewhere", "host", "--region", region, "--port", "null:");
      await host.stderrLine(/ is ready/);
      const path = `${folder}/functions/typed.ts`;
      await Deno.writeTextFile(path, FUNCTION);
      const options = ["--region", region, "--function", path, "--types"];
      const guest = installed.command("elsewhere", "guest", ...options);
      await guest.stderrLine(/forwarding \(typed\.ts\)/);
      await Deno.writeTextFile(path, FUNCTION.replace("drop", "dorp"));
      await guest.stderrLine(/kept the version that was there, not typed\.ts: .* deno check says:/);
      await guest.stderrLine(/TS2551 \[ERROR\]|TS2339 \[ERROR\]/);
      const runs = "new Deno.Command(Deno.execPath()).outputSync();";
      await Deno.writeTextFile(path, `${FUNCTION}\n${runs}`);
      await guest.stderrLine(/Cannot load function typed\.ts as Requires run access/);
      await Deno.writeTextFile(path, FUNCTION + "\n");
      await guest.stderrLine(/swapped typed\.ts in/);
      equal((await guest.stop()).code, 0, guest.stderr);

      const taker = installed.command("elsewhere", "guest", "--region", region, "--push");
      await taker.stderrLine(/forwarding \(l2fwd\)/);
      const pushed = await installed.command("functions", "push", "mine.ts", region).ended();
      match(pushed.stdout, /^guest 0: swapped mine\.ts in/, pushed.stderr);
      for (const running of [taker, host]) equal((await running.stop()).code, 0, running.stderr);
    },
  );

  await t.step("culvert build-shim builds the shim that is missing", async () => {
    const library = `${root}/dist/lib/${Deno.build.arch}/libculvert.so`;
    await Deno.remove(library);
    const refused = await installed.command("elsewhere", "layout").ended();
    match(refused.stderr, /Cannot load the shim .*: run `culvert build-shim` to build it/);
    const built = await installed.command("elsewhere", "build-shim").ended();
    equal(built.code, 0, built.stderr);
    equal((await installed.command("elsewhere", "layout").ended()).code, 0);
  });

  await t.step("an empty project type-checks and runs what imports it", async () => {
    const project = await installed.intoProject();
    await Deno.writeTextFile(`${project}/mine.ts`, FUNCTION);
    await Deno.writeTextFile(`${project}/main.ts`, PROGRAM);
    await Deno.writeTextFile(
      `${project}/wrong.ts`,
      'import { hostRegion } from "culvert-net"; export const x: number = hostRegion;',
    );
    const deno = (...args: string[]) =>
      installed.start("env", "-C", project, Deno.execPath(), ...args).ended();
    const checked = await deno("check", "main.ts");
    equal(checked.code, 0, checked.stderr);
    match((await deno("check", "wrong.ts")).stderr, /TS2322/);
    const library = `node_modules/culvert-net/dist/lib/${Deno.build.arch}/libculvert.so`;
    const memory = ["--allow-read=/dev/shm", "--allow-write=/dev/shm"];
    const ran = await deno("run", "--no-prompt", `--allow-ffi=${library}`, ...memory, "main.ts");
    equal(ran.stdout, "vlan 7 1\n", ran.stderr);
  });
});
