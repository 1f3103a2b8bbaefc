/**
 * What tests of a network function are written with: the function runs over frames in this process,
 * without root, host and region. It needs permission for the shim alone: `deno test --allow-ffi`.
 *
 * @example
 * ```ts
 * import { type Burst, ethernet } from "./function.ts";
 * import { frame, tryFunction } from "./testing.ts";
 *
 * const swap = (burst: Burst) => {
 *   for (let i = 0; i < burst.count; i++) ethernet.swap(burst, i);
 * };
 * const { sent } = await tryFunction(swap, [frame.udp()]);
 * console.assert(sent[0].port === 1 && sent[0].bytes[5] === 0x01, "it goes to its sender");
 * ```
 *
 * @module
 */
export type { SentFrame, TriedFrame } from "./guest/trial/function_trial.ts";
export {
  type ArpFields,
  type EchoFields,
  frame,
  type Ipv4Fields,
  type TcpFields,
  type UdpFields,
  type VlanFields,
} from "./guest/trial/frame_makers.ts";
export type { Addresses, FrameFields } from "./guest/trial/scratch_frame.ts";
export {
  type GivenFrame,
  type OptionValues,
  type Tried,
  tryFunction,
  type TryOptions,
} from "./guest/trial/try_function.ts";
