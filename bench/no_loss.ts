import { fileURLToPath } from "node:url";
import { CulvertError } from "../ffi/error.ts";
import type { Network } from "../tests/kit/network.ts";
import { Child } from "./child.ts";
import { inNetns } from "./wire.ts";

/** What lies between two interfaces of one namespace, for {@linkcode rateWithoutLoss}. */
export interface Loop {
  readonly netns: string;
  /** Where frames are sent. */
  readonly from: string;
  /** Where they come back. */
  readonly to: string;
  /** The other ends, which are to be joined. */
  readonly outer: readonly [string, string];
}

/** Two veths whose inner ends share a namespace, so that one program sends and receives. */
export async function makeLoop(network: Network): Promise<Loop> {
  const [a, b] = [await network.cable({ quiet: true }), await network.cable({ quiet: true })];
  await network.run("ip", "-n", b.netns, "link", "set", b.inner, "netns", a.netns);
  await network.run("ip", "-n", a.netns, "link", "set", b.inner, "addrgenmode", "none", "up");
  return { netns: a.netns, from: a.inner, to: b.inner, outer: [a.outer, b.outer] };
}

/**
 * The highest rate at which no frame is lost, by the search of RFC 2544 (26.1) with short trials.
 *
 * @returns million frames a second.
 * @throws {CulvertError} if none comes through whole at any rate.
 */
export async function rateWithoutLoss(
  { netns, from, to }: Loop,
  frameBytes: number,
  trialSeconds: number,
  core: number,
): Promise<number> {
  const module = fileURLToPath(new URL("./no_loss_process.ts", import.meta.url));
  await using search = new Child("the search", [
    ...[...inNetns(netns), Deno.execPath(), "run", "-A", "--no-check", module],
    ...[from, to, frameBytes, trialSeconds, core].map(String),
  ]);
  const text = await search.finish();
  const rate = Number(/^frames a second (\S+)$/m.exec(text)?.[1]);
  if (rate > 0) return rate / 1e6;
  throw new CulvertError(`Cannot find a rate without loss${search.lastLines}`);
}
