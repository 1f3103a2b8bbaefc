import { UsageError } from "../../ffi/error.ts";
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
 * @param answers Whether each port sends what answers the frames that came by it.
 * @throws {UsageError} if there are more ports than `-q` allows the cores to poll.
 */
export function planLcores(
  options: Pick<GuestOptions, "cores" | "portMask" | "portMap" | "portsPerLcore">,
  answers: boolean,
  ports: readonly VirtualPortHandle[],
): LcorePlan[] {
  const enabled = parsePortMask(options.portMask, ports.length);
  const pairs = answers
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
