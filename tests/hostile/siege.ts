/**
 * A host under siege: guests that scribble over their region at full speed, a sound guest beside them in
 * that region, and a sound one in another, whose every byte is checked.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import type { HostOptions, RegionOptions } from "../../app/host/host_options.ts";
import { runHost } from "../../app/host/run_host.ts";
import { COUNTER, type Counters } from "../../app/port/counters.ts";
import { parsePortSpec } from "../../app/port/port_spec.ts";
import { account, Lab, PATIENCE_MS, pause, waitUntil } from "../kit/lab.ts";
import { NumberedRun } from "../system/numbered_port.ts";
import { Findings, WITNESSED, WITNESSES } from "./witness_port.ts";

/** What a siege is to be. */
export interface SiegeOrder {
  readonly seed: number;
  readonly seconds: number;
  /** As `--quarantine-after`. */
  readonly quarantineAfter?: number;
  /** Lcores of the host: 1, or 2 that share the ledger. */
  readonly lcores?: number;
  /** Besiegers only lie, in their own rings; then the guest whose bytes are checked is in the same region. */
  readonly onlyLies?: boolean;
}

/** How it went. */
export interface Siege {
  /** Broken promises, in words; none if all is well. */
  readonly complaints: readonly string[];
  /** Frames of the sound guest that came back and were right. */
  readonly checked: number;
  /** Frames that left by the ports of the region under attack, every byte looked at. */
  readonly witnessed: number;
  /**
   * Whether it was also checked that none left by a port of another guest than received it: possible as long
   * as no guest has sent mbufs that it was lent empty, as those have no maker that could be told.
   */
  readonly isCrossingChecked: boolean;
  /** What the host said of the guests that attacked. */
  readonly quarantined: readonly string[];
  readonly summary: string;
}

/** Places of the region under attack: besiegers, then a sound guest. */
const BESIEGERS = [0, 1];
const NEIGHBOUR = 2;
const GUESTS = WITNESSES.length;

/** How long the host may take to stop, beside what its drain takes. */
const STOP_MS = 10_000;

function regionOf(name: string, guests: readonly string[]): RegionOptions {
  const ports = (text: string) => text.split(" ").map(parsePortSpec);
  return {
    name,
    size: 2 ** 23,
    mbufs: 2048,
    ringSize: 256,
    guests: guests.map((text, number) => ({ number, ports: ports(text) })),
  };
}

/** Lay siege to a host for so many seconds. */
export async function besiege(
  { seed, seconds, quarantineAfter, lcores = 1, onlyLies = false }: SiegeOrder,
): Promise<Siege> {
  await using lab = await Lab.open();
  const run = new NumberedRun({ frames: 2 ** 31 - 1, window: 128, addresses: "kept", seed });
  const findings = Findings.create();
  const url = new URL("./siege_host_worker.ts", import.meta.url);
  url.search = run.lcoreUrl.search;
  url.searchParams.set("findings", String(findings.fd));
  const [sound, attacked] = [lab.newRegion(), lab.newRegion()];
  const options: HostOptions = {
    regions: onlyLies
      ? [regionOf(attacked, WITNESSES.with(NEIGHBOUR, "ring:0 ring:1"))]
      : [regionOf(sound, ["ring:0 ring:1"]), regionOf(attacked, WITNESSES)],
    ...{
      mtu: 1500,
      cores: [0, 1].slice(0, lcores),
      idle: "adaptive",
      burst: 32,
      statsPeriod: 0,
      quarantineAfter,
    },
  };
  const stop = new AbortController();
  const said: string[] = [];
  let counters: readonly Counters[] = [];
  let failure = "";
  const log = (line: string) => said.push(line);
  const host = runHost(options, url, stop.signal, log, (all) => counters = all)
    .catch((error) => {
      failure = `the host has failed: ${error}`;
      return "";
    });
  const complaints: string[] = [];
  const blame = (isWrong: boolean, what: string) => isWrong && complaints.push(what);
  try {
    const places = [[sound, 0], [attacked, NEIGHBOUR]].slice(onlyLies ? 1 : 0);
    const guests = places.map(([region, number]) =>
      lab.guest([
        ...["--region", `${region}`, "--guest", `${number}`, "-T", "0", "-l", "1"],
        ...["--forward-mode", "io"],
      ])
    );
    const attached = () => said.filter((line) => / attached /.test(line)).length >= guests.length;
    if (!await waitUntil(attached)) {
      throw new Error(`${failure} ${said.join("\n")} ${guests.map((g) => g.stderr).join("\n")}`);
    }
    const program = fileURLToPath(new URL("./besieger_process.ts", import.meta.url));
    const besiegers = BESIEGERS.map((own) =>
      lab.start(
        ...["nice", "-n", "5", Deno.execPath(), "run", "-A", "--no-check", program, attacked],
        ...[GUESTS, own, seed * 2 + own].map(String),
        ...onlyLies ? ["--mode", "lie"] : [],
      )
    );
    for (const besieger of besiegers) await besieger.stderrLine(/ready/);
    for (const besieger of besiegers) await besieger.write("go");
    run.start();
    await waitUntil(() => failure !== "", seconds * 1000);
    const quarantined = () => said.filter((line) => / is in quarantine /.test(line));
    if (quarantineAfter !== 0) {
      const isCaught = await waitUntil(() => quarantined().length > 0 || failure !== "");
      blame(!isCaught, "nobody is put in quarantine");
    }
    for (const besieger of besiegers) {
      const { stderr } = besieger;
      blame(stderr.trim() !== "ready", `a besieger has failed: ${stderr}`);
      besieger.kill("SIGKILL");
      await besieger.ended();
    }
    const before = run.checked;
    const isServed = await waitUntil(() => failure !== "" || run.checked > before);
    const [region] = places[0];
    const about = said.filter((line) => line.includes(`${region}`)).slice(-5).join("\n");
    blame(!isServed, `the sound guest gets no frames any more: ${about}\n${guests[0].stderr}`);
    await guests[0].stop();
    stop.abort();
    const summary = await Promise.race([host, pause(STOP_MS).then(() => undefined)]);
    blame(summary === undefined, `the host does not stop within ${STOP_MS} ms`);
    blame(failure !== "", failure);
    for (const port of [0, 1]) {
      const faults = run.faultsAt(port);
      blame(faults !== "", `frames of the sound guest: ${faults}`);
    }
    if (summary) checkAccount(summary, blame);
    const found = witnessed(findings);
    blame(found[WITNESSED.CANARY] > 0, `${found[WITNESSED.CANARY]} frames had a canary in them`);
    blame(found[WITNESSED.OUTSIDE] > 0, `${found[WITNESSED.OUTSIDE]} frames out of their mbuf`);
    const originated = counters.reduce((sum, of) => sum + of[COUNTER.ORIGINATED], 0);
    const isCrossingChecked = counters.length > 0 && originated === 0;
    if (isCrossingChecked) {
      blame(found[WITNESSED.CROSSED] > 0, `${found[WITNESSED.CROSSED]} frames by another's port`);
    }
    return {
      complaints,
      checked: run.checked,
      witnessed: found[WITNESSED.LEFT],
      isCrossingChecked,
      quarantined: quarantined(),
      summary: summary ?? "",
    };
  } finally {
    stop.abort();
    await Promise.race([host, pause(PATIENCE_MS)]);
    run.close();
    findings.close();
  }
}

function witnessed(findings: Findings): number[] {
  const ports = Array.from({ length: GUESTS }, (_, port) => findings.of(port));
  return Array.from(
    { length: WITNESSED.COUNT },
    (_, what) => ports.reduce((sum, found) => sum + found[what], 0),
  );
}

function checkAccount(summary: string, blame: (isWrong: boolean, what: string) => unknown): void {
  const { received, originated, forwarded, dropped, mbufsFree, mbufsTotal } = account(summary);
  const drops = [...dropped.values()].reduce((sum, n) => sum + n, 0);
  blame(received + originated !== forwarded + drops, `frames are not accounted for: ${summary}`);
  blame(mbufsFree !== mbufsTotal, `mbufs are lost: ${mbufsFree} of ${mbufsTotal} are free`);
}
