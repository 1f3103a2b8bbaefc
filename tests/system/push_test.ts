/**
 * `culvert push`: a guest that runs gets another function through the region, in a VM, too.
 *
 * @module
 */
import assert from "node:assert/strict";
import { BOOT_MS, Lab, packetPorts, type Running, until } from "../kit/lab.ts";
import { assertNothingBroken, untilReachable } from "../kit/kernel_traffic.ts";
import { exchangeNumbered, ROOM, startVm } from "../kit/vm.ts";

/** A folder with functions and what they import. */
class Files implements Disposable {
  readonly folder = Deno.makeTempDirSync({ prefix: "culvert-push" });

  /** Write a file; returns its path. */
  write(name: string, text: string): string {
    Deno.writeTextFileSync(`${this.folder}/${name}`, text);
    return `${this.folder}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** A function that logs who it is, and counts by `helper.ts`. */
function saying(word: string): string {
  return `import type { Burst, Context } from "culvert-net/function";
import { countedBy } from "./helper.ts";
export function setup(context: Context) {
  context.log("this is ${word}");
  return countedBy(context, "${word}");
}
`;
}

const HELPER = `import type { Burst, Context } from "culvert-net/function";
interface Named { readonly name: string }

export function countedBy({ counter }: Context, name: Named["name"]) {
  const frames = counter(name);
  return (burst: Burst) => {
    if (name === "wrong" && burst.count > 0) throw new Error("no such rule");
    frames.add(burst.count);
  };
}
`;

/** An emulated machine that others slow down takes its time to start Workers. */
const PATIENT = ["--timeout", "150"];

function push(lab: Lab, ...args: string[]): Running {
  return lab.culvert("push", [...args, "--region", lab.region]);
}

/** Push, which must end with this status; returns what it prints. */
async function pushed(lab: Lab, status: number, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await push(lab, ...args).ended(160_000);
  assert.equal(code, status, stdout + stderr);
  return stdout + stderr;
}

Deno.test("culvert push changes the function of a VM that runs, again and again, and no frame is lost", async () => {
  await using lab = await Lab.open();
  using files = new Files();
  files.write("helper.ts", HELPER);
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost([...packetPorts(a, b), "-l", "0", ...ROOM]);
  const vm = startVm(lab, [], ["--push", "--no-mac-updating"]);
  await host.stderrLine(/guest 0 attached/, BOOT_MS);
  await untilReachable(lab, a, b, BOOT_MS);

  const frames = exchangeNumbered(lab, [a, b], { frames: 2500, rate: 100 });
  for (const word of ["first", "second"]) {
    const said = await pushed(lab, 0, files.write("my.ts", saying(word)), ...PATIENT);
    assert.match(said, /^guest 0: swapped my\.ts in \d+ ms, 0 frames lost, forwarding paused/);
    await vm.stdoutLine(new RegExp(`this is ${word}`));
  }
  const wrong = await pushed(lab, 1, files.write("my.ts", saying("wrong")), ...PATIENT);
  assert.match(wrong, /Cannot push my\.ts as guest 0 keeps the function that was there: /);
  assert.match(wrong, /it has thrown: no such rule at .*\/helper\.ts:7:\d+/, "of the TypeScript");
  await frames;
  await assertNothingBroken(lab, a, b);
  assert.equal((await vm.stop("SIGINT")).code, 130);
  await lab.finishHost(host);
});

Deno.test("culvert push changes one function of a chain on two lcores, which then logs its lines", async () => {
  await using lab = await Lab.open();
  using files = new Files();
  files.write("helper.ts", HELPER);
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost(packetPorts(a, b));
  const chain = ["--function", "io", "--function", "macswap", "-l", "0,1", "-T", "0"];
  const guest = await lab.startGuest([...chain, "--push"]);
  const my = files.write("my.ts", saying("third"));
  assert.match(
    await pushed(lab, 1, my),
    /the guest's chain is io \| macswap: say which it follows, by --position 1 to 2/,
  );
  assert.match(await pushed(lab, 1, my, "--position", "3"), /--position 1 to 2 is wanted, not 3/);
  assert.match(await pushed(lab, 0, my, "--position", "2"), /swapped my\.ts/);
  await until(() => guest.stderr.match(/this is third/g)?.length === 2, "both lcores have it");
  await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);

  files.write("my.ts", saying("fourth").replace("context.log", "if (1) context.log"));
  assert.match(await pushed(lab, 0, my), /swapped my\.ts/, "by its name");
  const late =
    "export default function (burst) {\n  if (burst.length(0) === 98) burst.u8(0, 98);\n}";
  assert.match(await pushed(lab, 0, files.write("late.js", late), "--position", "1"), /swapped/);
  await lab.tryRun("ip", "netns", "exec", a.netns, "ping", "-c1", "-W1", b.ip4);
  await guest.stderrLine(/function late\.js has thrown: Cannot use 1 byte .*late\.js:2:\d+/);
  assert.match(await pushed(lab, 0, "io", "--position", "1"), /swapped io/);
  await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);
  await lab.finish({ host, guest });
});

Deno.test("culvert push gives options, makes frames, and refuses what the guest refuses", async () => {
  await using lab = await Lab.open();
  using files = new Files();
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost(packetPorts(a, b));
  const guest = await lab.startGuest(["--push", "-T", "0"]);
  const path = (name: string) => `app/guest/examples/${name}.ts`;
  assert.match(await pushed(lab, 1, path("learning_switch"), "--set", "age=1"), /Cannot set age=1/);
  assert.match(await pushed(lab, 0, path("learning_switch"), "--set", "ageing=9"), /swapped/);
  await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);
  const endless = files.write("endless.ts", "export default () => { for (;;) {} };");
  const began = performance.now();
  assert.match(await pushed(lab, 1, endless), /endless\.ts has not returned for 2 s in its trial/);
  assert.ok(performance.now() - began < 8000, "and not once 60 s have passed");
  assert.match(
    await pushed(lab, 1, files.write("bad.ts", "export {")),
    /esbuild says: .*bad\.ts:1/s,
  );
  assert.match(await pushed(lab, 1, files.write("no.ts", "export const a = 1;")), /exports only a/);
  const long = files.write("long.ts", `export const a = "${"long".repeat(1 << 18)}";`);
  assert.match(await pushed(lab, 1, long), /Cannot push 1\d+ bytes as 524288 fit into this region/);
  await lab.inNamespace(a.netns, "ping", "-c", "3", "-W", "5", b.ip4);
  await lab.finish({ host, guest });
});

Deno.test("culvert push says why no guest takes the function: none, one that does not, one that is paused", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  assert.match(await pushed(lab, 1, "io"), /as no host has it: there are /);
  const host = await lab.startHost(packetPorts(a, b));
  assert.match(
    await pushed(lab, 1, "io"),
    /as guest 0 of region .* is ABSENT: start it, with --push/,
  );
  assert.match(await pushed(lab, 1, "io", "--guest", "5"), /has no place for that guest/);
  const deaf = await lab.startGuest(["-T", "0"]);
  assert.match(await pushed(lab, 1, "io"), /does not take functions: start it with .* --push/);
  await deaf.stop();

  const guest = await lab.startGuest(["--push", "--no-mac-updating", "-T", "0"]);
  Deno.kill(guest.pid, "SIGSTOP");
  const said = await pushed(lab, 1, "io", "--timeout", "1");
  Deno.kill(guest.pid, "SIGCONT");
  assert.match(said, /has not answered within 1 s: it was taken back; is the guest paused\?/);
  await untilReachable(lab, a, b);
  assert.doesNotMatch(guest.stderr, /swapped/);
  await lab.finish({ host, guest });
});
