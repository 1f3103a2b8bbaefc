import type { GuestLcoreHandle } from "./guest_lcore.ts";
import type { GuestOptions } from "./guest_options.ts";
import { ANSWERING_MODES } from "./functions/mod.ts";

/** What the modes that forward do to addresses; l2fwd does as it is told. */
const ADDRESSES: Readonly<Record<string, string>> = {
  mac: "MAC addresses are rewritten",
  macswap: "MAC addresses change places",
};

/**
 * Where frames go and what becomes of their addresses, for the log: with l2fwd's default a plain
 * ping goes unanswered, and nothing else says why.
 */
export function describeWays(
  { mode, macUpdating }: Pick<GuestOptions, "mode" | "macUpdating">,
  lanes: GuestLcoreHandle["lanes"],
): string {
  if (ANSWERING_MODES.includes(mode)) {
    const numbers = lanes.map(({ from }) => from.number).join(", ");
    return `nothing is forwarded: ports ${numbers} each by itself`;
  }
  const addresses = mode !== "l2fwd"
    ? ADDRESSES[mode] ?? "MAC addresses stay as they are"
    : macUpdating
    ? "MAC addresses are rewritten, and most receivers drop such frames: " +
      "--no-mac-updating leaves them as they are"
    : "MAC addresses stay as they are";
  return `frames go ${lanes.map(wayOf).filter(Boolean).join(", ")}; ${addresses}`;
}

/** `0 <-> 1` for one of two lanes that belong together, nothing for the other. */
function wayOf(
  { from: { number: from }, to: { number: to } }: GuestLcoreHandle["lanes"][number],
): string {
  if (from === to) return `${from} -> ${from}`;
  return from < to ? `${from} <-> ${to}` : "";
}
