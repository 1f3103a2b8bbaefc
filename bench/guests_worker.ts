/**
 * One thread that turns the lcores of several guests one after another: once all have been ordered,
 * until all are over.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { shim } from "../ffi/shim.ts";
import type { FunctionSpec } from "../app/guest/function/load.ts";
import { prepareFunctions } from "../app/guest/function/prepare.ts";
import { GuestLcore, type GuestLcoreHandle } from "../app/guest/guest_lcore.ts";
import { type CommandHandle, CommandWord } from "../app/lcore/command.ts";

/** What it is sent: first how many guests there will be, then a message for each. */
export type GuestsOrder =
  | {
    readonly guests: number;
    readonly core: number;
    readonly specs: readonly FunctionSpec[];
  }
  | { readonly command: CommandHandle; readonly handle: GuestLcoreHandle };

const scope = self as unknown as {
  onmessage: (event: MessageEvent<GuestsOrder>) => void;
  postMessage(end: "ended"): void;
};

let plan = { guests: 0, core: 0, prepared: prepareFunctions({ specs: [], idle: "poll" }) };
const orders: { command: CommandWord; handle: GuestLcoreHandle }[] = [];

function turnAll(lcores: readonly GuestLcore[]): void {
  for (let left = lcores.length; left > 0;) {
    left = 0;
    for (const lcore of lcores) if (lcore.turn()) left++;
  }
}

scope.onmessage = async ({ data }) => {
  if ("guests" in data) {
    const { guests, core, specs } = data;
    plan = { guests, core, prepared: prepareFunctions({ specs, idle: "poll" }) };
    return;
  }
  if (orders.push({ ...data, command: new CommandWord(data.command) }) < plan.guests) return;
  const { prepared } = await plan.prepared;
  check(shim.shim_thread_pin(plan.core), `pin to core ${plan.core}`);
  const lcores = orders.map(({ handle, command }) =>
    new GuestLcore(handle, command, console.error, prepared)
  );
  turnAll(lcores);
  for (const lcore of lcores) lcore.close();
  scope.postMessage("ended");
};
