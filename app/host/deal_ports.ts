import type { PortSetup } from "../port/open_port.ts";

/**
 * Which lcore runs which port, or which queue of one: they are dealt in turn, but for a link's
 * second end, which follows its first, since the two share memory without any ordering.
 *
 * @param lcores How many there are, at least 1.
 * @returns the lcore of each port, from 0. None is left out: those beyond the highest are not
 * needed.
 */
export function dealPorts(setups: readonly PortSetup[], lcores: number): number[] {
  const links = new Map<string, number>();
  let dealt = 0;
  return setups.map(({ kind, name }) => {
    const first = kind === "link" ? links.get(name) : undefined;
    if (first !== undefined) return first;
    const lcore = dealt++ % lcores;
    if (kind === "link") links.set(name, lcore);
    return lcore;
  });
}
