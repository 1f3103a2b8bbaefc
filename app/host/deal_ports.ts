import type { PortSetup } from "../port/open_port.ts";

/**
 * Deal ports, or their queues, to lcores in turn. The second end of a link goes to the lcore of the
 * first, since the two share memory without any ordering.
 *
 * @param lcores How many there are, at least 1.
 * @returns the lcore of each port, from 0. Lcores above the highest of these get none.
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
