import type { Host } from "../../app/host/host.ts";
import type { HostLcore } from "../../app/host/host_lcore.ts";
import { Outstanding } from "../../app/channel/outstanding.ts";
import { COUNTER, droppedBy } from "../../app/port/counters.ts";
import { LinkPort } from "../../app/port/link_port.ts";
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
  let [found, wanted] = [mbufsInLinks(lcores), 0];
  const faults = host.regions.flatMap((region) => {
    const { name, mempool, ledger, guests, handle } = region;
    const { total, long } = mempool.handle;
    const faults: string[] = [];
    const expect = (isSo: boolean, what: string) => isSo || faults.push(`region ${name}: ${what}`);

    const outstanding = new Outstanding(handle.outstanding);
    const owners = new Uint8Array(handle.ledger);
    const plain = mempool.allocBurst(all, MBUFS_MAX);
    const free = plain + (mempool.long?.allocBurst(all, MBUFS_MAX - plain, plain) ?? 0);
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
    found += free + lent;
    wanted += total + (long?.total ?? 0);
    for (const { number, supervisor } of guests) {
      const held = ledger.mbufsHeldBy(number);
      const counted = outstanding.of(number, 0).mbufs;
      expect(held === counted, `guest ${number} holds ${held}, ${counted} are counted`);
      expect(!supervisor.isClosed || held === 0, `guest ${number} is gone, and holds ${held}`);
    }
    return faults;
  });
  if (found !== wanted) faults.push(`${found} mbufs are free, lent or in links, not ${wanted}`);
  return faults;
}

/** Mbufs that wait in links, those of super-frames that are being cut among them. */
function mbufsInLinks(lcores: readonly (HostLcore | undefined)[]): number {
  const ports = lcores.flatMap((lcore) => lcore?.lanes.map(({ port }) => port) ?? []);
  return ports.reduce((sum, port) => sum + (port instanceof LinkPort ? port.held : 0), 0);
}

/** What is wrong with the account of a host that has stopped, in words. */
export function accountFaults(host: Host): string[] {
  const sum = (counter: number) => host.counters.reduce((n, of) => n + of[counter], 0);
  const came = sum(COUNTER.RX) + sum(COUNTER.ORIGINATED);
  const went = sum(COUNTER.TX) + host.counters.reduce((n, of) => n + droppedBy(of), 0);
  const faults = came === went ? [] : [`${came} frames came, ${went} are accounted for`];
  for (const { name, mbufs: { available, total, long } } of host.regions) {
    if (available !== total) faults.push(`region ${name}: ${available} of ${total} mbufs are free`);
    if (long && long.available !== long.total) {
      faults.push(`region ${name}: ${long.available} of ${long.total} long mbufs are free`);
    }
  }
  return faults;
}
