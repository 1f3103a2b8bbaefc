import { UsageError } from "../../ffi/error.ts";
import { ANSWERING_MODES } from "./functions/mod.ts";
import type { GuestLcoreHandle } from "./guest_lcore.ts";
import type { GuestOptions } from "./guest_options.ts";
import { pairPorts, parsePortMask } from "./port_map.ts";
import type { VirtualPortHandle } from "./virtual_port.ts";

/** One lcore that is to be started. */
export interface LcorePlan {
  /** The core that it is pinned to. */
  readonly core: number;
  /** The ports that it polls, and where their frames go. */
  readonly lanes: GuestLcoreHandle["lanes"];
}

/**
 * Which core polls which ports. Each port is received from by one lcore, and sends for one.
 *
 * @throws {UsageError} if there are more ports than `-q` allows the cores to poll.
 */
export function planLcores(
  options: Pick<GuestOptions, "cores" | "mode" | "portMask" | "portMap" | "portsPerLcore">,
  ports: readonly VirtualPortHandle[],
): LcorePlan[] {
  const enabled = parsePortMask(options.portMask, ports.length);
  const pairs = ANSWERING_MODES.includes(options.mode)
    ? new Map(enabled.map((port) => [port, port]))
    : pairPorts(enabled, options.portMap);
  const lanes = [...pairs].map(([from, to]) => ({ from: ports[from], to: ports[to] }));
  const each = options.portsPerLcore ?? Math.ceil(lanes.length / options.cores.length);
  if (each * options.cores.length < lanes.length) {
    throw new UsageError(
      `Cannot poll ${lanes.length} ports as -q ${each} allows ${options.cores.length} cores ` +
        `${each * options.cores.length}: name more cores (-l) or raise -q`,
    );
  }
  return options.cores
    .map((core, i) => ({ core, lanes: lanes.slice(i * each, (i + 1) * each) }))
    .filter(({ lanes }) => lanes.length > 0);
}
