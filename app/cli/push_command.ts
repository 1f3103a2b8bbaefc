import { fileURLToPath } from "node:url";
import { CulvertError, UsageError } from "../../ffi/error.ts";
import { GUEST_STATE, GuestState } from "../channel/guest_state.ts";
import { PushBox } from "../channel/push_box.ts";
import { findFunction } from "../guest/function/function_name.ts";
import { encodePushed } from "../guest/pushed_function.ts";
import { stdout } from "../linux/output.ts";
import { PUSH_STATE } from "../memory/layout.ts";
import { Region } from "../memory/region.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { regionNames } from "../region/listening_servers.ts";
import { type OpenedRegion, openRegion } from "../region/region_source.ts";
import { bundleFunctions } from "../vm/bundle.ts";
import { checkUsage, type Parsed } from "./options.ts";
import { readSet } from "./set_option.ts";
import type { PUSH } from "./tables/push.ts";

/** Milliseconds between two looks for an answer. */
const LOOK_MS = 20;

/**
 * `culvert push`: returns the exit status.
 *
 * @throws {UsageError} if there is no such function, or the command line is wrong.
 * @throws {CulvertError} if the function has not taken over, with what the guest says.
 */
export async function pushCommand({ values, positionals }: Parsed<typeof PUSH>): Promise<number> {
  const [named, ...regions] = positionals;
  if (values.region !== undefined) regions.push(values.region);
  if (regions.length > 1) {
    throw new UsageError(`Cannot push to ${regions.join(" and ")}: name one region`);
  }
  const [region = "culvert0"] = regions;
  checkUsage(() => checkRegionName(region));
  const { name, url } = findFunction(named);
  const set = values.set.length > 0 ? Object.fromEntries(values.set.map(readSet)) : undefined;
  const [module] = await bundleFunctions([fileURLToPath(url)]);
  const position = values.position ?? 0;
  const text = encodePushed({ name, position, set, text: new TextDecoder().decode(module) });

  const opened = openRegion(region);
  if (opened === undefined) {
    throw new CulvertError(
      `Cannot push ${name} to region ${region} as no host has it: there are ${regionNames()}`,
    );
  }
  try {
    stdout.line(await push(name, text, opened, region, values));
  } finally {
    opened.close();
  }
  return 0;
}

/** Leave a text for the guest, and wait for the guest's answer. */
async function push(
  name: string,
  text: Uint8Array<ArrayBuffer>,
  { memory, peer }: OpenedRegion,
  regionName: string,
  { guest, timeout }: { readonly guest: number; readonly timeout: number },
): Promise<string> {
  const refuse = (found: string, wanted: string) =>
    new CulvertError(`Cannot push ${name} as guest ${guest} ${found}: ${wanted}`);
  const region = Region.attach(memory, regionName);
  const state = GuestState.attach(region, guest);
  if (state.state !== GUEST_STATE.RUNNING) {
    throw refuse(`of region ${regionName} is ${state.stateName}`, "start it, with --push");
  }
  if (!state.takesPushes) {
    throw refuse("does not take functions", "start it with culvert guest --push");
  }
  const box = PushBox.find(region);
  const sequence = await box.push(guest, text);
  const end = performance.now() + timeout * 1000;
  for (;;) {
    peer?.poll();
    const answer = box.answerTo(sequence);
    if (answer?.state === PUSH_STATE.DONE) return `guest ${guest}: ${answer.text}`;
    if (answer?.state === PUSH_STATE.REFUSED) {
      throw refuse("keeps the function that was there", answer.text);
    }
    if (answer === undefined && box.sequence !== sequence) {
      throw refuse("was sent another function at the same time", "push again");
    }
    if (performance.now() > end) break;
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  throw box.takeBack(sequence)
    ? refuse(`has not answered within ${timeout} s`, "it was taken back; is the guest paused?")
    : refuse(
      `has seen it, but is not done within ${timeout} s`,
      "its log tells what comes of it; --timeout waits longer",
    );
}
