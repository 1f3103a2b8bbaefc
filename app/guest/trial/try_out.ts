import { CulvertError } from "../../../ffi/error.ts";
import { closeBursts } from "../../ring/burst.ts";
import { told } from "../function/chain.ts";
import type { LoadedFunction } from "../function/load.ts";
import type { Progress } from "../function/progress.ts";
import { whyNotSetUp } from "../function/set_up.ts";
import { frame } from "./frame_makers.ts";
import { FunctionTrial, type SetupError } from "./function_trial.ts";

/** Bytes of the longest frame, without FCS, at the usual MTU. */
const FRAME_MAX_BYTES = 1518;

/** Nanoseconds of the trial's time that pass, so that timers are due. */
const PASSES_NS = 200e6;

/** An EtherType for experiments (IEEE 802). */
const ANOTHER_TYPE = 0x88b5;

/** A frame of each kind that most functions know, and of one that none does. */
function kinds(): Uint8Array[] {
  const inVlan = frame.vlan(frame.udp(), { id: 7 });
  const other = frame.ethernet({ type: ANOTHER_TYPE });
  return [frame.arp(), frame.icmpEcho(), frame.tcp(), frame.udp(), inVlan, other];
}

/**
 * Run functions on a burst of our own, in memory of our own, and let 0.2 s of its time pass, so
 * that timers are called, to see that they work. What they keep in variables of their modules is
 * kept: try them in a thread that is not used after that. It may have no other bursts.
 *
 * @param ports Ports that the guest has.
 * @param progress Tells other threads which function is at work.
 * @throws {CulvertError} with what a function throws, and where.
 */
export function tryOut(
  loaded: readonly LoadedFunction[],
  ports: number,
  progress?: Progress,
): void {
  const options = { ports, burst: 32, frameMax: FRAME_MAX_BYTES, onError: "drop" } as const;
  let trial: FunctionTrial | undefined;
  try {
    trial = setUp(loaded, { ...options, log: () => {}, progress });
    trial.run(0, kinds());
    trial.passUntil(PASSES_NS);
    const { firstFailure } = trial;
    if (firstFailure) throw new CulvertError(`it has thrown: ${told(firstFailure.error)}`);
  } finally {
    trial?.[Symbol.dispose]();
    closeBursts();
  }
}

function setUp(...parts: ConstructorParameters<typeof FunctionTrial>): FunctionTrial {
  try {
    return new FunctionTrial(...parts);
  } catch (error) {
    const { cause } = error as SetupError;
    throw new CulvertError(whyNotSetUp(cause, "its setup()"), { cause });
  }
}
