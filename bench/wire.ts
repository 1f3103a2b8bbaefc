import { fileURLToPath } from "node:url";
import { CulvertError } from "../ffi/error.ts";
import { Child } from "./child.ts";
import { pause, SILENCE_SECONDS } from "./waiting.ts";

/** An interface, in the network namespace `netns` or in the present one. */
export interface WireEnd {
  readonly name: string;
  readonly netns?: string;
}

const GENERATOR = new URL("./wire_generator.ts", import.meta.url);
const CHECKER = new URL("./wire_checker.ts", import.meta.url);

/** Frames that are compared byte by byte before each sample. */
const CHECKED_FRAMES = 200;

/** Milliseconds of traffic before a sample. */
const WARM_UP_MS = 1000;

/** A generator that sends from now until it is disposed of. */
interface Load extends AsyncDisposable {
  /** Million frames delivered per second, over the next `seconds`. */
  rate(seconds: number): Promise<number>;
}

/** What lies between two interfaces, loaded by one generator; the load of the areas with ports. */
export class Wire {
  constructor(readonly from: WireEnd, readonly to: WireEnd) {}

  /**
   * Frames delivered per second, in millions, over the middle of a generator's run; after the first
   * ones have been compared byte by byte with what was sent.
   *
   * @param core The generator's.
   * @throws {CulvertError} if frames arrive in part, changed, or not at all.
   */
  async measure(frameBytes: number, seconds: number, core: number): Promise<number> {
    await using load = await this.load(frameBytes, core);
    return await load.rate(seconds);
  }

  /**
   * Start the generator, and warm up; as {@linkcode Wire.measure} does.
   *
   * @returns the running load, whose `rate` is in million frames delivered per second.
   */
  async load(frameBytes: number, core: number): Promise<Load> {
    await using checker = program(this.to, CHECKER, [frameBytes, CHECKED_FRAMES]);
    await checker.hear(/ready/);
    await using starting = new AsyncDisposableStack();
    const generator = starting.use(program(this.from, GENERATOR, [frameBytes, core]));
    const started = performance.now();
    await generator.during("get whole frames", checker.hear(/whole/));
    await pause(Math.max(0, WARM_UP_MS - (performance.now() - started)));
    const running = starting.move();
    return {
      rate: (seconds) => this.#rate(generator, seconds),
      [Symbol.asyncDispose]: () => running.disposeAsync(),
    };
  }

  async #rate(generator: Child, seconds: number): Promise<number> {
    const [start, before] = [performance.now(), await this.#delivered()];
    await generator.during("measure", pause(seconds * 1000), seconds + 1);
    const more = this.#moreThan(before);
    const frames = await generator.during("get frames", more, SILENCE_SECONDS + 1) - before;
    return frames / (performance.now() - start) / 1000;
  }

  /** Frames that have arrived, once these are more than `before`. */
  async #moreThan(before: number): Promise<number> {
    const end = performance.now() + SILENCE_SECONDS * 1000;
    while (performance.now() < end) {
      const delivered = await this.#delivered();
      if (delivered > before) return delivered;
      await pause(20);
    }
    throw new CulvertError(`Cannot measure as no frames come to ${this.to.name} any more`);
  }

  /** Frames that have arrived at the far end. */
  async #delivered(): Promise<number> {
    const where = this.to.netns ? `-n ${this.to.netns} ` : "";
    const text = await ip(`${where}-s -j link show dev ${this.to.name}`);
    return JSON.parse(text)[0].stats64.rx.packets;
  }
}

/** A program of the bench, in the namespace of an interface. */
function program(end: WireEnd, module: URL, args: readonly (string | number)[]): Child {
  const path = fileURLToPath(module);
  const command = [Deno.execPath(), "run", "-A", "--no-check", path, end.name, ...args.map(String)];
  return new Child(path.replace(/^.*\//, ""), [...inNetns(end.netns), ...command]);
}

/** What runs a program in a network namespace, without a process of its own. */
export function inNetns(netns: string | undefined): string[] {
  return netns ? ["nsenter", `--net=/run/netns/${netns}`] : [];
}

/** The kernel's own bridge between two interfaces, as long as the result lives. */
export async function startBridge(ports: readonly string[]): Promise<AsyncDisposable> {
  const bridge = `cvbr${Deno.pid}`;
  const remove = async () => await ip(`link del ${bridge}`).then(() => {});
  await ip(`link add ${bridge} type bridge forward_delay 0 mcast_snooping 0`);
  try {
    await ip(`link set ${bridge} addrgenmode none up`);
    for (const port of ports) await ip(`link set ${port} master ${bridge}`);
  } catch (error) {
    await remove();
    throw error;
  }
  return { [Symbol.asyncDispose]: remove };
}

/**
 * Run `ip` with some words.
 *
 * @throws {CulvertError} with what it says, if it refuses.
 */
async function ip(line: string): Promise<string> {
  const output = await new Deno.Command("ip", { args: line.split(" ") }).output();
  const decoder = new TextDecoder();
  if (!output.success) {
    throw new CulvertError(
      `Cannot run "ip ${line}" as it says: ${decoder.decode(output.stderr).trim()}`,
    );
  }
  return decoder.decode(output.stdout);
}
