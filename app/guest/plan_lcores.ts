import { UsageError } from "../../ffi/error.ts";
import type { GuestLcoreHandle } from "./guest_lcore.ts";
import type { GuestOptions } from "./guest_options.ts";
import { pairPorts, parsePortMask } from "./port_map.ts";
import { leadsTo, type VirtualPortHandle } from "./virtual_port.ts";

/** One lcore that is to be started. */
export interface LcorePlan {
  /** The core that it is pinned to. */
  readonly core: number;
  /** The ports that it polls, and where their frames go. */
  readonly lanes: GuestLcoreHandle["lanes"];
}

/** A way through the guest: from which queue of a port to which. */
type Way = LcorePlan["lanes"][number];

/**
 * Which core polls which ports. One lcore receives from each queue of a port, and one lcore sends
 * by it: ways that lead to one queue stay together.
 *
 * @param answers Whether each port sends what answers the frames that came by it.
 * @param ports With each of their queues.
 * @throws {UsageError} if there are more ports than `-q` allows the cores to poll.
 */
export function planLcores(
  options: Pick<GuestOptions, "cores" | "portMask" | "portMap" | "portsPerLcore">,
  answers: boolean,
  ports: readonly VirtualPortHandle[],
): LcorePlan[] {
  const { cores, portsPerLcore } = options;
  const enabled = parsePortMask(options.portMask, new Set(ports.map(({ number }) => number)).size);
  const pairs = answers
    ? new Map(enabled.map((port) => [port, port]))
    : pairPorts(enabled, options.portMap);
  const lanes = waysOf(pairs, ports);
  const groups = [...Map.groupBy(lanes, ({ to }) => to).values()];
  let each = portsPerLcore ?? Math.ceil(lanes.length / cores.length);
  let dealt = dealGroups(groups, each);
  const fit = () => dealt.length <= cores.length && dealt.every(({ length }) => length <= each);
  while (portsPerLcore === undefined && !fit()) dealt = dealGroups(groups, ++each);
  if (!fit()) {
    throw new UsageError(
      `Cannot poll ${lanes.length} ports as -q ${each} allows ${cores.length} cores ` +
        `${each * cores.length}: name more cores (-l) or raise -q`,
    );
  }
  return dealt.map((lanes, i) => ({ core: cores[i], lanes }));
}

/** All ways: those by the first queues of ports, then by the second ones, and so on. */
function waysOf(
  pairs: ReadonlyMap<number, number>,
  ports: readonly VirtualPortHandle[],
): Way[] {
  const ways = [...pairs].flatMap(([source, target]) => {
    const targets = ports.filter(({ number }) => number === target);
    return ports.filter(({ number }) => number === source)
      .map((from) => ({ from, to: targets.find((to) => leadsTo(from, to))! }));
  });
  return ways.sort((a, b) => (a.from.queue?.number ?? 0) - (b.from.queue?.number ?? 0));
}

/** Put groups of ways together, in their order, up to `each` ways. */
function dealGroups(groups: readonly Way[][], each: number): Way[][] {
  const dealt: Way[][] = [];
  for (const group of groups) {
    const last = dealt.at(-1);
    if (last && last.length + group.length <= each) last.push(...group);
    else dealt.push([...group]);
  }
  return dealt;
}
