/**
 * A region's creator that dies between any two steps of making it.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import assert from "node:assert/strict";
import { attach, leave } from "../guest/attaching.ts";
import { openRegion } from "../../app/region/region_source.ts";
import { FLAGS, SOURCES } from "../../shim/build.ts";
import { exists, Lab, type Running, until } from "../kit/lab.ts";
import { processesNaming, statOf } from "../kit/processes.ts";
import type { Random } from "../kit/random.ts";
import { quantile } from "../stage/watch.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** Half of the next hosts must have let a guest in after so many milliseconds. */
const BACK_MS = 3000;

/** Whose steps are counted, and how the region is named. */
export interface Creator {
  readonly name: string;
  readonly who: "host" | "server";
  readonly region: "name" | "path";
}

export const CREATORS: readonly Creator[] = [
  { name: "creator", who: "host", region: "name" },
  { name: "creator of a file", who: "host", region: "path" },
  { name: "creator's server", who: "server", region: "name" },
];

/**
 * Build a shim that kills its process.
 *
 * @returns a command that puts it in the place of the real one for the command behind it.
 */
async function buildDyingShim(lab: Lab, folder: string): Promise<string[]> {
  const library = `${folder}/dying.so`;
  const sources = SOURCES.map((name) => `${ROOT}shim/${name}`);
  const hook = fileURLToPath(new URL("./dying_shim.c", import.meta.url));
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

  /** How many steps there are until guests can attach. */
  async steps(): Promise<number> {
    const [steps] = await this.#startDying(2 ** 31 - 1);
    await this.works(0);
    assert(steps > 20, `${steps} steps were counted: does the hook work?`);
    return steps;
  }

  /** Start a host that dies at step `step`, or whose server does; false if it has fewer steps. */
  async diesAt(step: number): Promise<boolean> {
    const [, deaths] = await this.#startDying(step);
    return deaths === 1;
  }

  /** Start a host with the dying shim; how many steps were counted, and how many processes died. */
  async #startDying(step: number): Promise<Uint32Array> {
    await Deno.writeFile(this.counter, new Uint8Array(8));
    const { dying, who, lab } = this;
    const hook = [`CULVERT_DIE_IN=${who}`, `CULVERT_DIE_AT=${step}`];
    const under = ["env", ...hook, `CULVERT_DIE_COUNT=${this.counter}`, ...dying];
    // An lcore that polls rehearses nothing: that would be thousands of steps, of no region.
    const args = ["--port", "ring", "--idle", "poll", ...this.#region];
    const host = lab.culvert("host", args, { under });
    const isReady = () => /^culvert host: .* is ready/m.test(host.stderr);
    await until(() => isReady() || hasEnded(host), () => `step ${step}: ${host.stderr}`);
    const wanted = who === "host" || isReady() ? 137 : 1;
    const { code } = await (isReady() ? host.stop("SIGKILL") : host.ended());
    assert.equal(code, wanted, `step ${step}: ${host.stderr}`);
    return new Uint32Array((await Deno.readFile(this.counter)).buffer);
  }

  /** The next host of that name works; milliseconds until it has let a guest in. */
  async works(step: number): Promise<number> {
    const start = performance.now();
    const host = await this.lab.startHost(["--port", "ring", ...this.#region]);
    const opened = openRegion(this.name);
    assert(opened, `step ${step}: the region is not there`);
    const attachment = await attach(opened.memory, 0, {
      name: this.name,
      peer: opened.peer?.id,
    });
    const took = performance.now() - start;
    await leave(attachment);
    opened.close();
    await this.lab.stopHost(host);
    // The killed host leaves a region's file, as it may: the next creation begins without one.
    const left = () => processesNaming(this.name);
    await until(() => left().length === 0, () => `step ${step}: left are ${left()}`);
    if (this.name.startsWith("/") && exists(this.name)) await Deno.remove(this.name);
    await this.lab.nothingLeft();
    return took;
  }
}

/** Whether a program has ended, waited for or not. */
function hasEnded({ pid }: Running): boolean {
  return (statOf(pid)?.state ?? "Z") === "Z";
}

/**
 * Let the creator of a region die at `times` of its steps, spread over all from a random one on, or
 * at each if there are fewer; end early when `isEnough`.
 *
 * @returns what was found, in words.
 * @throws {AssertionError} if the next host does not work after one of them.
 */
export async function dieWhileCreating(
  { who, region }: Creator,
  times: number,
  random: Random,
  isEnough: () => boolean = () => false,
): Promise<string> {
  await using lab = await Lab.open();
  const name = region === "name" ? lab.newRegion() : lab.newPath();
  const folder = await Deno.makeTempDir({ prefix: "culvert-deaths-" });
  try {
    const dying = await buildDyingShim(lab, folder);
    const creation = new Creation(lab, who, name, dying, `${folder}/steps`);
    const steps = await creation.steps();
    const took: number[] = [];
    let tried = 0;
    const stride = Math.max(1, steps / times);
    for (let at = 1 + random.below(Math.ceil(stride)); Math.floor(at) <= steps; at += stride) {
      if (isEnough()) break;
      tried++;
      const hasDied = await creation.diesAt(Math.floor(at));
      const milliseconds = await creation.works(Math.floor(at));
      if (hasDied) took.push(milliseconds);
    }
    // A server sends more messages in some runs than in others: some runs have fewer steps.
    assert(took.length >= tried * 0.8, `${took.length} of ${tried} died`);
    const [half, most] = [0.5, 1].map((share) => Math.round(quantile(took, share)));
    assert(took.length === 0 || half < BACK_MS, `the next hosts take ${half} ms`);
    return `${took.length} deaths at ${steps} steps; next host after ${half} ms (median), ${most} ms (most)`;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
