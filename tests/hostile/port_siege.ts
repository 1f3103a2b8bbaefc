/**
 * A host with real ports under siege: `culvert host` as a process, a region with attackers whose ports are
 * a TAP and a veth, and a region with a sound guest between another TAP and another veth, over which
 * numbered frames with a sum go both ways. All interfaces are in a network namespace of their own.
 *
 * @module
 */
import { usableCores } from "../../app/linux/core_list.ts";
import { frameMaxOf } from "../../app/port/kernel_port.ts";
import { COUNTER, DROPS } from "../../app/port/counters.ts";
import { judge } from "../soak/accounts.ts";
import { Traffic } from "../soak/traffic.ts";
import type { TrafficReport } from "../soak/traffic_process.ts";
import {
  account,
  assertBalanced,
  exists,
  Lab,
  pause,
  type Running,
  waitUntil,
} from "../kit/lab.ts";
import { serverOf } from "../kit/processes.ts";
import { LeakWatch } from "./leak_watch.ts";
import type { LeakReport } from "./leak_watch_process.ts";
import { SiegeGround } from "./siege_ground.ts";

/** What a siege is to be. */
export interface PortSiegeOrder {
  readonly seed: number;
  readonly seconds: number;
  /** Lcores of the host: 1, or 2 that share the ledger. */
  readonly lcores?: number;
}

/** Attackers that are ready. */
export interface Attack {
  begin(): Promise<void>;
  /** End it; what went wrong with the attackers themselves, in words. */
  end(): Promise<string>;
}

/** Gets attackers ready, one in each of the region's places {@linkcode ATTACKED_PLACES}. */
export type Attackers = (lab: Lab, region: string, seed: number) => Promise<Attack>;

/** Guests of the region under attack: one has the TAP, one the veth. */
export const ATTACKED_PLACES = 2;

/** How it went. */
export interface PortSiege {
  /** Broken promises, in words; none if all is well. */
  readonly complaints: readonly string[];
  /** What came to pass, to be read by people. */
  readonly told: string;
  /** Frames of the sound guest that arrived and were right. */
  readonly received: number;
  /** What left by each port under attack. */
  readonly leaks: readonly LeakReport[];
  /** The host's. */
  readonly summary: string;
}

const MTU = 1500;

/** Frames a second: of the sound guest each way, and of those that attackers are fed with on each port. */
const RATE = 2000, FEED_RATE = 4000;

/** Frames that have to leave by each port under attack for it to be a siege. */
const LOOKED_MIN = 500;

/** Of a frame that is shorter than an Ethernet header the kernel says so: none leaves. */
const REFUSED = DROPS.find(({ counter }) => counter === COUNTER.TX_REFUSED)!.reason;

/** How long the host may take to stop. */
const STOP_MS = 10_000;

/** Lay siege to a host; the attack goes on until the host has ended. */
export async function besiegePorts(
  { seed, seconds, lcores = 1 }: PortSiegeOrder,
  attackers: Attackers,
): Promise<PortSiege> {
  await using lab = await Lab.open();
  using ground = await SiegeGround.open(lab);
  const { netns } = ground;
  const host = lab.host([...ground.hostArgs, "-l", usableCores().slice(0, lcores).join()], {
    netns,
  });
  await host.stderrLine(new RegExp(`region ${ground.attacked} is ready`));
  ground.look();
  const guest = await lab.startGuest(["--region", ground.sound, "-T", "0", "--no-mac-updating"], {
    netns,
  });
  const run = seed & 0x7fffffff;
  const core = usableCores().at(-1)!;
  const links = ground.soundLinks;
  const traffic = await Traffic.start(lab, netns, { run, bytesMax: MTU + 14, core, links });
  const complaints: string[] = [];
  const blame = (isWrong: boolean, what: string) => isWrong && complaints.push(what);

  const attack = await attackers(lab, ground.attacked, seed);
  const watchSetup = { links: ground.attackedLinks, frameMax: frameMaxOf(MTU), run };
  const watch = await LeakWatch.start(lab, netns, { ...watchSetup, rate: FEED_RATE });
  await traffic.tell({ rate: RATE });
  blame(!await flows(traffic), "the sound guest gets no frames before the attack");
  await attack.begin();
  await pause(seconds * 1000);
  blame(
    !await hasLooked(watch),
    "hardly a frame left by the ports under attack: that was no siege",
  );
  blame(!await flows(traffic), "the sound guest gets no frames any more");
  await traffic.tell({ rate: 0 });
  const { report, loss } = await settle(traffic, ground);
  const guestEnded = await guest.stop();
  blame(guestEnded.code !== 0, `the sound guest has failed: ${guestEnded.stderr}`);
  const summary = await stop(host, blame); // under attack
  const leaks = await watch.report();
  const failure = await attack.end();
  blame(failure !== "", failure);
  judgeFlows(report, blame);
  blame(loss.unaccounted !== 0, `sound frames are not accounted for: ${JSON.stringify(loss)}`);
  for (const leak of leaks) judgeLeak(leak, blame);
  await endServer(ground.attacked);
  await waitUntil(() => lab.leftovers().length === 0);
  blame(lab.leftovers().length > 0, `${lab.leftovers()} are left`);
  const received = sum(report, "received");
  const told = `${received} frames of the sound guest were right, ${loss.lost} lost and counted; ` +
    leaks.map(({ link, left, missed }) =>
      `${left} looked at that left by ${link}, ${missed} more not`
    ).join(", ");
  return { complaints, told, received, leaks, summary };
}

type Blame = (isWrong: boolean, what: string) => unknown;

function sum({ flows }: TrafficReport, key: "sent" | "received" | "missed" | "foreign"): number {
  return flows.reduce((total, flow) => total + flow[key], 0);
}

/** Whether frames that are sent from now on arrive, both ways. */
async function flows(traffic: Traffic): Promise<boolean> {
  const mark = await traffic.mark();
  return await waitUntil(async () => {
    const { marks } = await traffic.tell();
    return marks[mark].arrived.every((at) => at !== null);
  });
}

/** Wait until frames enough have left by each port: on a busy machine attackers are slow. */
async function hasLooked(watch: LeakWatch): Promise<boolean> {
  return await waitUntil(async () =>
    (await watch.report()).every(({ left }) => left >= LOOKED_MIN)
  );
}

/** Wait until all frames of the sound guest have come to rest; where those are that did not arrive. */
async function settle(traffic: Traffic, ground: SiegeGround) {
  const look = async () => {
    const report = await traffic.tell();
    const [sent, received, missed] = (["sent", "received", "missed"] as const)
      .map((key) => sum(report, key));
    const kernel = await ground.kernelDropped();
    const counted = ground.counted();
    return { report, loss: judge({ sent, received, missed, kernel, counted, lostWithHost: 0 }) };
  };
  await waitUntil(async () => (await look()).loss.unaccounted === 0);
  await pause(200); // for what comes twice
  await traffic.tell({ settle: true });
  return await look();
}

/** Stop the host; the summary, if it ended well and in time. */
async function stop(host: Running, blame: Blame): Promise<string> {
  host.kill("SIGTERM");
  const { code, stdout, stderr } = await host.ended(STOP_MS);
  blame(code !== 0, `the host ended with ${code}: ${stderr.slice(-2000)}`);
  if (code !== 0) return stdout;
  try {
    const found = account(stdout);
    assertBalanced(found);
    const refused = found.dropped.get(REFUSED) ?? 0;
    blame(refused > 0, `${refused} frames went to the kernel that no interface takes`);
  } catch (error) {
    blame(true, `the host's account is wrong: ${(error as Error).message}\n${stdout}`);
  }
  return stdout;
}

/** Where the header was spoiled, a server takes it that the host has died, and keeps the region for a minute. */
async function endServer(region: string): Promise<void> {
  const server = serverOf(region);
  if (server === undefined) return;
  Deno.kill(server, "SIGTERM");
  await waitUntil(() => !exists(`/proc/${server}`));
}

function judgeFlows(report: TrafficReport, blame: Blame): void {
  report.flows.forEach(({ wrongs, foreign, received }, flow) => {
    blame(received === 0, `of flow ${flow} nothing arrived`);
    blame(foreign > 0, `${foreign} frames came along with flow ${flow} that nobody sent there`);
    for (const [kind, frames] of Object.entries(wrongs)) {
      blame(frames > 0, `${frames} frames of flow ${flow} are ${kind}`);
    }
  });
}

function judgeLeak(leak: LeakReport, blame: Blame): void {
  const { link, canaries, crossing, tooLong, tooShort, strays, firstLeak } = leak;
  const first = `, the first of ${firstLeak}`;
  blame(canaries > 0, `${canaries} frames with a canary left by ${link}${first}`);
  blame(crossing > 0, `${crossing} frames that go on in another mbuf left by ${link}${first}`);
  blame(tooLong > 0, `${tooLong} frames that are too long left by ${link}${first}`);
  blame(tooShort > 0, `${tooShort} frames that are too short left by ${link}${first}`);
  blame(strays > 0, `${strays} frames of the other region left by ${link}${first}`);
}
