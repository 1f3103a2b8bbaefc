import type { Context } from "../function/context.ts";
import type { FrameFunction } from "../function/function_module.ts";
import { addressWriter } from "./l2fwd.ts";

/** Super-frames pass whole. */
export const offloads = true;

/** testpmd `mac`: source and destination address are written, as l2fwd does by default. */
export function setup({ ports }: Context): FrameFunction {
  return addressWriter(ports);
}
