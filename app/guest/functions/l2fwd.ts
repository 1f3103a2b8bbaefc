import type { Context, PortDescription } from "../function/context.ts";
import type { FrameFunction, OptionsSchema } from "../function/function_module.ts";
import { plainOptions } from "../function/plain_options.ts";
import { addressWords, writeAddresses } from "../mac_address.ts";

/** `--set mac-updating=false`, or `--no-mac-updating`: frames stay as they are. */
export const options: OptionsSchema = plainOptions({ "mac-updating": true });

/** Super-frames pass whole. */
export const offloads = true;

/** As DPDK's l2fwd: writes the addresses of each frame, or lets it be. */
export function setup({ ports, options }: Context<{ "mac-updating": boolean }>): FrameFunction {
  return options["mac-updating"] ? addressWriter(ports) : () => {};
}

/**
 * The destination becomes 02:00:00:00:00:PORT, the source the address of the port that sends.
 */
export function addressWriter(ports: readonly PortDescription[]): FrameFunction {
  const addresses = ports.map(({ number, mac }) =>
    addressWords(Uint8Array.of(2, 0, 0, 0, 0, number), mac)
  );
  return (burst) => writeAddresses(burst, addresses[burst.to]);
}
