/**
 * A host in this process, whose ports move frames as fast as memory lets them, under attack.
 * Hostile guests are in one region, with a sound guest beside them; another sound guest is in
 * another region.
 *
 * @module
 */
import { CheckedHost } from "../kit/checked_host.ts";
import { account, assertBalanced, Lab } from "../kit/lab.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { sumOfFindings, WITNESSED } from "../kit/witness_port.ts";
import { startHostile } from "./hostile_guests.ts";

/** What an attack is. */
export interface AttackOrder {
  readonly seed: number;
  readonly seconds: number;
  /** As `--quarantine-after`. */
  readonly quarantineAfter?: number;
  /** Lcores of the host: 1, or 2 that share the ledger. */
  readonly lcores?: number;
  /**
   * Hostile guests write to their own rings alone. Then the guest whose frames are checked is in
   * their region.
   */
  readonly onlyLie?: boolean;
}

/** How it went. */
export interface Attack {
  /** Broken promises, in words; none if all were kept. */
  readonly complaints: readonly string[];
  /** Frames of the sound guest that came back. */
  readonly checked: number;
  /** Frames that left by the ports of the attacked region, with every byte looked at. */
  readonly witnessed: number;
  /**
   * Whether it was also checked that no frame left by a port of another guest than received it. It
   * can be while no guest has sent mbufs that it was lent empty: they came by no port.
   */
  readonly isCrossingChecked: boolean;
  /** The lines by which the host put guests in quarantine. */
  readonly quarantined: readonly string[];
  readonly summary: string;
}

/** Guests of the attacked region: two hostile ones, and a sound one behind them. */
const HOSTILE = 2, NEIGHBOUR = 2;
const WITNESSES = ["ring:w0", "ring:w1", "ring:w2"];
const CHECKED = "ring:0 ring:1";

/** Attack a host for so many seconds. */
export async function attackMemory(
  { seed, seconds, quarantineAfter, lcores = 1, onlyLie = false }: AttackOrder,
): Promise<Attack> {
  await using lab = await Lab.open();
  const [sound, attacked] = [lab.newRegion(), lab.newRegion()];
  const guestsOfAttacked = onlyLie ? WITNESSES.with(NEIGHBOUR, CHECKED) : WITNESSES;
  const regions = [{ name: sound, guests: [CHECKED] }, {
    name: attacked,
    guests: guestsOfAttacked,
  }];
  await using host = new CheckedHost({
    regions: onlyLie ? regions.slice(1) : regions,
    cores: [0, 1].slice(0, lcores),
    quarantineAfter,
    seed,
  });
  const complaints: string[] = [];
  const complain = (isWrong: boolean, what: string) => isWrong && complaints.push(what);
  const places: [string, number][] = [[sound, 0], [attacked, NEIGHBOUR]];
  const [guest] = await host.attach(lab, onlyLie ? places.slice(1) : places, [
    ...["-l", "1", "--forward-mode", "io"],
  ]);
  const order = { seed, places: HOSTILE, guests: WITNESSES.length, onlyLie };
  const hostile = await startHostile(lab, attacked, order);
  await hostile.begin();
  host.exchange.start();
  await host.waitUntil(() => false, seconds * 1000);
  const quarantined = () => host.said.filter((line) => / is in quarantine /.test(line));
  if (quarantineAfter !== 0) {
    const isAny = await host.waitUntil(() => quarantined().length > 0);
    complain(!isAny, "no guest is put in quarantine");
  }
  const failure = await hostile.end();
  complain(failure !== "", failure);
  const before = host.exchange.checked;
  const isServed = await host.waitUntil(() => host.exchange.checked > before);
  complain(!isServed, `the sound guest gets no frames any more: ${host.said.slice(-5)}`);
  await guest.stop();
  const summary = await host.stop();
  complain(summary === undefined, "the host does not stop in time");
  complain(host.failure !== "", host.failure);
  complain(host.faults !== "", `frames of the sound guest: ${host.faults}`);
  if (summary) complain(...balance(summary));
  const found = sumOfFindings(host.findings, WITNESSES.length);
  complain(found[WITNESSED.CANARY] > 0, `${found[WITNESSED.CANARY]} frames had a canary in them`);
  complain(found[WITNESSED.OUTSIDE] > 0, `${found[WITNESSED.OUTSIDE]} frames reached out of mbufs`);
  const originated = host.counters.reduce((sum, of) => sum + of[COUNTER.ORIGINATED], 0);
  const isCrossingChecked = host.counters.length > 0 && originated === 0;
  if (isCrossingChecked) {
    complain(found[WITNESSED.CROSSED] > 0, `${found[WITNESSED.CROSSED]} left by others' ports`);
  }
  return {
    complaints,
    checked: host.exchange.checked,
    witnessed: found[WITNESSED.LEFT],
    isCrossingChecked,
    quarantined: quarantined(),
    summary: summary ?? "",
  };
}

/** Whether frames or mbufs are missing in a host's account, and how. */
export function balance(summary: string): [isWrong: boolean, what: string] {
  try {
    assertBalanced(account(summary));
    return [false, ""];
  } catch (error) {
    return [true, `the host's account is wrong: ${(error as Error).message}\n${summary}`];
  }
}
