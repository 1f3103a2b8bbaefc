import type { Context, FrameFunction, OptionsSchema } from "culvert-net/function";
import { plainOptions } from "culvert-net/function";

/** Samples are copies: the host lends mbufs for them. */
export const originates = true;

/** `--set every=100 --set port=2`: which frames are copied, and the port that gets the copies. */
export const options: OptionsSchema = plainOptions({ every: 100, port: 2 });

/** Every Nth frame is sent by a port of its own, too; what comes by that port is dropped. */
export function setup(
  { ports, options, counter }: Context<{ every: number; port: number }>,
): FrameFunction {
  const { every, port } = options;
  if (!(Number.isInteger(every) && every >= 1 && port in ports)) {
    throw new RangeError(`Cannot copy every ${every}th frame to port ${port}: there is none`);
  }
  const samples = counter("samples"), lacking = counter("samples without mbuf");
  let seen = 0;
  return (burst) => {
    const { count } = burst; // copies are added behind
    for (let i = 0; i < count; i++) {
      if (burst.port === port) burst.drop(i);
      else if (++seen % every === 0) (burst.copyTo(i, port) ? samples : lacking).add();
    }
  };
}
