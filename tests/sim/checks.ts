import type { Host } from "../../app/host/host.ts";
import type { HostLcore } from "../../app/host/host_lcore.ts";
import { Outstanding } from "../../app/channel/outstanding.ts";
import { COUNTER, droppedBy } from "../../app/port/counters.ts";
import { Burst } from "../../app/ring/burst.ts";

/** Mbufs of a region at most. */
const MBUFS_MAX = 1024;

const all = Burst.of(MBUFS_MAX);

/**
 * What is wrong with the mbufs of a host, in words. No lcore may be in the middle of a turn; what
 * they have in their caches is given back for this.
 */
export function mbufFaults(host: Host, lcores: readonly (HostLcore | undefined)[]): string[] {
  for (const lcore of lcores) lcore?.releaseCaches();
  return host.regions.flatMap((region) => {
    const { name, mempool, ledger, guests, handle } = region;
    const { total } = mempool.handle;
    const faults: string[] = [];
    const expect = (isSo: boolean, what: string) => isSo || faults.push(`region ${name}: ${what}`);

    const outstanding = new Outstanding(handle.outstanding);
    const owners = new Uint8Array(handle.ledger);
    const free = mempool.allocBurst(all, MBUFS_MAX);
    const seen = new Set<number>();
    for (let i = 0; i < free; i++) {
      const index = all.words[2 * i];
      expect(!seen.has(index), `mbuf ${index} is free twice`);
      expect(owners[index] === 0, `mbuf ${index} is free, and lent`);
      seen.add(index);
    }
    mempool.free(all, free);
    mempool.close();

    const lent = owners.reduce((n, owner) => n + (owner === 0 ? 0 : 1), 0);
    const inLinks = framesInLinks(host, name);
    expect(
      free + lent + inLinks === total,
      `${free} free + ${lent} lent + ${inLinks} in links are not ${total}`,
    );
    for (const { number, supervisor } of guests) {
      const held = ledger.mbufsHeldBy(number);
      const counted = outstanding.of(number, 0).mbufs;
      expect(held === counted, `guest ${number} holds ${held}, ${counted} are counted`);
      expect(!supervisor.isClosed || held === 0, `guest ${number} is gone, and holds ${held}`);
    }
    return faults;
  });
}

/** Frames that one end of a link in this region has sent, and the other end not yet received. */
function framesInLinks(host: Host, region: string): number {
  const links = host.ports.filter(({ opened }) => opened.setup.kind === "link");
  const mine = host.regions.find(({ name }) => name === region)!.guests.flatMap((g) => g.ports);
  return links.filter((link) => mine.includes(link)).reduce((sum, link) => {
    const other = links.find((end) =>
      end !== link && end.opened.setup.name === link.opened.setup.name
    )!;
    return sum + link.counters[COUNTER.TX] - other.counters[COUNTER.RX];
  }, 0);
}

/** What is wrong with the account of a host that has stopped, in words. */
export function accountFaults(host: Host): string[] {
  const sum = (counter: number) => host.counters.reduce((n, of) => n + of[counter], 0);
  const came = sum(COUNTER.RX) + sum(COUNTER.ORIGINATED);
  const went = sum(COUNTER.TX) + host.counters.reduce((n, of) => n + droppedBy(of), 0);
  const faults = came === went ? [] : [`${came} frames came, ${went} are accounted for`];
  for (const { name, mbufs: { available, total } } of host.regions) {
    if (available !== total) faults.push(`region ${name}: ${available} of ${total} mbufs are free`);
  }
  return faults;
}
