import type { Functions } from "./function/load.ts";
import type { GuestLcoreHandle } from "./guest_lcore.ts";

/** What culvert's own functions do to addresses; what l2fwd does is an option. */
const ADDRESSES: Readonly<Record<string, string>> = {
  io: "MAC addresses stay as they are",
  mac: "MAC addresses are rewritten",
  macswap: "MAC addresses change places",
};

/**
 * Where frames go and, where one function is known to do nothing else, what becomes of their
 * addresses. It is for the log: with l2fwd's default a plain ping goes unanswered, and nothing
 * else says why.
 */
export function describeWays(
  { answers, handles }: Pick<Functions, "answers" | "handles">,
  all: GuestLcoreHandle["lanes"],
): string {
  const lanes = all.filter(({ from: { queue } }) => !queue || queue.number === 0);
  if (answers) {
    const numbers = lanes.map(({ from }) => from.number).join(", ");
    return `nothing is forwarded: ports ${numbers} each by itself`;
  }
  const ways = `frames go ${lanes.map(wayOf).filter(Boolean).join(", ")}`;
  const [{ name, options }] = handles;
  const addresses = handles.length > 1
    ? undefined
    : name === "l2fwd"
    ? describeUpdating(options as { "mac-updating": boolean })
    : ADDRESSES[name];
  return addresses === undefined ? ways : `${ways}; ${addresses}`;
}

function describeUpdating({ "mac-updating": isUpdating }: { "mac-updating": boolean }): string {
  return isUpdating
    ? "MAC addresses are rewritten, and most receivers drop such frames: " +
      "--no-mac-updating leaves them as they are"
    : "MAC addresses stay as they are";
}

/** `0 <-> 1` for one of two lanes that belong together, nothing for the other. */
function wayOf(
  { from: { number: from }, to: { number: to } }: GuestLcoreHandle["lanes"][number],
): string {
  if (from === to) return `${from} -> ${from}`;
  return from < to ? `${from} <-> ${to}` : "";
}
