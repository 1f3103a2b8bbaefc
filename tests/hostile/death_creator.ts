/**
 * A region's creator that dies between any two steps of initialisation.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Attachment } from "../../app/guest/attachment.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { FLAGS, SOURCES } from "../../shim/build.ts";
import { account, assertBalanced, exists, Lab, type Running, waitUntil } from "../kit/lab.ts";
import type { Random } from "../kit/random.ts";
import { processesNaming, statOf } from "../kit/processes.ts";
import { Recoveries } from "./death_lab.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Build a shim that dies.
 *
 * @returns a command that puts it in the place of the real one for the command behind it.
 */
async function buildDyingShim(lab: Lab, folder: string): Promise<string[]> {
  const library = `${folder}/dying.so`;
  const sources = SOURCES.map((name) => `${ROOT}shim/${name}`);
  const hook = fileURLToPath(new URL("death_hook.c", import.meta.url));
  const flags = [...FLAGS, "-finstrument-functions", "-ldl", "-o", library];
  await lab.run("cc", ...sources, hook, ...flags);
  const script = 'mount --bind "$0" .cache/shim/libculvert.so && exec "$@"';
  return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script, library];
}

/** One region, created again and again. */
class Creation {
  readonly #region: string[];

  constructor(
    private readonly lab: Lab,
    private readonly who: "host" | "server",
    readonly name: string,
    private readonly dying: string[],
    private readonly counter: string,
  ) {
    this.#region = ["--region", name, "--size", "4M", "--mbufs", "256"];
  }

  /** How many steps there are until guests may come. */
  async steps(): Promise<number> {
    const [steps] = await this.#startDying(2 ** 31 - 1);
    await this.works(0);
    assert(steps > 20, `${steps} steps were counted: does the hook work?`);
    return steps;
  }

  /** Start a host that dies at step `step`, or whose server does; false if it did not get there. */
  async diesAt(step: number): Promise<boolean> {
    const [, deaths] = await this.#startDying(step);
    return deaths === 1;
  }

  /** Start a host to whom that is done; how many steps were counted, and how many have died. */
  async #startDying(step: number): Promise<Uint32Array> {
    await Deno.writeFile(this.counter, new Uint8Array(8));
    const { dying, who, lab } = this;
    const hook = [`CULVERT_DIE_IN=${who}`, `CULVERT_DIE_AT=${step}`];
    const under = ["env", ...hook, `CULVERT_DIE_COUNT=${this.counter}`, ...dying];
    const host = lab.culvert("host", ["--port", "ring", ...this.#region], { under });
    const isSettled = () => /is ready/.test(host.stderr) || hasEnded(host);
    assert(await waitUntil(isSettled));
    const isReady = /is ready/.test(host.stderr);
    const { code } = await (isReady ? host.stop("SIGKILL") : host.ended());
    const wanted = who === "host" || isReady ? 137 : 1;
    assert.equal(code, wanted, `step ${step}: ${host.stderr}`);
    return new Uint32Array((await Deno.readFile(this.counter)).buffer);
  }

  /** A killed host leaves a region's file, as it may; let the next creation begin with nothing. */
  async #clear(step: number): Promise<void> {
    const isGone = () => processesNaming(this.name).length === 0;
    assert(await waitUntil(isGone), `step ${step}: left are ${processesNaming(this.name)}`);
    if (this.name.startsWith("/") && exists(this.name)) await Deno.remove(this.name);
    await this.lab.nothingLeft();
  }

  /** The next host works, with the same name; milliseconds until a guest was let in. */
  async works(step: number): Promise<number> {
    const start = performance.now();
    const host = this.lab.host(["--port", "ring", ...this.#region]);
    await host.stderrLine(/is ready/);
    const opened = openRegion(this.name);
    assert(opened, `step ${step}: the region is not there`);
    const attachment = await Attachment.claim(opened.memory, this.name, 0, false, opened.peer?.id);
    const took = performance.now() - start;
    await attachment.leave();
    opened.close();
    const { code, stdout, stderr } = await host.stop();
    assert.equal(code, 0, `step ${step}: ${stderr}`);
    assertBalanced(account(stdout));
    await this.#clear(step);
    return took;
  }
}

/** Whether a program has ended that nobody has asked for its status yet, or that somebody has. */
function hasEnded({ pid }: Running): boolean {
  return (statOf(pid)?.state ?? "Z") === "Z";
}

/**
 * Let the creator of a region die at `times` of its steps, from a random one on and spread over all, or at
 * each if there are fewer, or until it is enough.
 */
export async function dieWhileCreating(
  who: "host" | "server",
  kind: "name" | "path",
  times: number,
  dice: Random,
  isEnough: () => boolean = () => false,
): Promise<string> {
  await using lab = await Lab.open();
  const region = kind === "name" ? lab.newRegion() : lab.newPath();
  const folder = await Deno.makeTempDir({ prefix: "culvert-deaths-" });
  try {
    const dying = await buildDyingShim(lab, folder);
    const creation = new Creation(lab, who, region, dying, `${folder}/steps`);
    return await dieAtSteps(creation, times, dice, isEnough);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function dieAtSteps(
  creation: Creation,
  times: number,
  dice: Random,
  isEnough: () => boolean,
): Promise<string> {
  const steps = await creation.steps();
  const recoveries = new Recoveries();
  let tried = 0;
  const stride = Math.max(1, steps / times);
  for (let at = 1 + dice.below(Math.ceil(stride)); Math.floor(at) <= steps; at += stride) {
    if (isEnough()) break;
    const step = Math.floor(at);
    tried++;
    if (await creation.diesAt(step)) await recoveries.add(await creation.works(step));
    else await creation.works(step);
  }
  // How many messages a server sends is a matter of time: the last steps are not always there.
  assert(recoveries.count >= tried * 0.8, `${recoveries.count} of ${tried} died`);
  return `${steps} steps; ${recoveries.report()}`;
}
