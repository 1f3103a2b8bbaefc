/**
 * What dies, and what must be well afterwards.
 *
 * @module
 */
import assert from "node:assert/strict";
import { exchangeNumbered, ROOM } from "../kit/vm.ts";
import { pause, waitUntil } from "../kit/lab.ts";
import { serverOf } from "../kit/processes.ts";
import type { Random } from "../kit/random.ts";
import { dieWhileCreating } from "./death_creator.ts";
import { DeathLab, kill, Recoveries } from "./death_lab.ts";

/** After so many deaths a host is stopped well, and its mbufs are counted. */
const DEATHS_PER_HOST = 10;

/** Milliseconds of traffic before a death, at most. */
const BEFORE_MS = 200;

/** Frames that a second guest exchanges while the first one is paused: all have room in its rings. */
const FRAMES = 2000;

/**
 * Kill `times` times what the kind names, or until it is enough; says how long it took until all was well
 * again.
 */
export type DeathKind = (
  times: number,
  dice: Random,
  isEnough?: () => boolean,
) => Promise<string>;

/** Nobody asks for an end before it is there. */
export const never = (): boolean => false;

/** A host, under traffic, to which `once` does something again and again; it says how long that took. */
function underTraffic(
  once: (death: DeathLab, dice: Random) => Promise<number>,
): DeathKind {
  return async (times, dice, isEnough = never) => {
    const recoveries = new Recoveries(true);
    const goesOn = () => recoveries.count < times && !isEnough();
    while (goesOn()) {
      await using death = await DeathLab.open();
      for (let i = 0; i < DEATHS_PER_HOST && goesOn(); i++) {
        await using _traffic = death.traffic();
        await pause(dice.below(BEFORE_MS));
        await recoveries.add(await once(death, dice));
      }
      await death.finish();
    }
    return recoveries.report();
  };
}

const killGuest = underTraffic(async (death) => {
  await death.guest.stop("SIGKILL");
  const start = performance.now();
  death.startGuest();
  return await death.flowsSince(start);
});

const killHost = underTraffic(async (death) => {
  await death.host.stop("SIGKILL");
  const start = performance.now();
  await death.startHost();
  return await death.flowsSince(start);
});

const killServer = underTraffic(async (death) => {
  const server = serverOf(death.region);
  assert(server, "a server listens");
  const start = performance.now();
  kill(server);
  await death.flowsSince(start);
  await death.host.stderrLine(/the server is there again/);
  await death.guest.stderrLine(/the server is there again/);
  assert.notEqual(serverOf(death.region), server);
  return performance.now() - start;
});

/** A server is killed, then the host: the next host finds the memory at the server that took its place. */
const killServerThenHost = underTraffic(async (death) => {
  kill(serverOf(death.region)!);
  await death.host.stderrLine(/the server is there again/);
  const server = serverOf(death.region);
  await death.host.stop("SIGKILL");
  const start = performance.now();
  await death.startHost();
  const took = await death.flowsSince(start);
  assert.equal(serverOf(death.region), server, "the region is the same");
  return took;
});

/**
 * A guest is stopped in the midst of traffic for longer than the host waits. What it held is lent to nobody,
 * so that nothing that another guest forwards meanwhile is altered when it goes on.
 */
const pauseGuest: DeathKind = async (times, dice, isEnough = never) => {
  const recoveries = new Recoveries();
  while (recoveries.count < times && !isEnough()) {
    await using death = await DeathLab.open({ guest: false });
    const { lab } = death;
    await death.host.stop();
    const [c, d] = [await lab.cable({ quiet: true }), await lab.cable({ quiet: true })];
    await death.startHost(
      ...["--guest", "1", "--port", `packet:${c.outer}`, "--port", `packet:${d.outer}`],
      ...ROOM, // or a guest that gets no time on a busy machine for half a second drops frames, as it may
    );
    death.guest = lab.guest(["-T", "0"]); // it writes addresses into each frame
    const other = lab.guest(["-T", "0", "--no-mac-updating", "--guest", "1"]);
    for (const guest of [death.guest, other]) await guest.stderrLine(/forwarding/);
    {
      await using _traffic = death.traffic();
      await pause(50 + dice.below(BEFORE_MS));
      await death.guest.freeze();
      await death.host.stderrLine(/guest 0 died: its heartbeat stopped/);
      await death.host.stderrLine(/guest 0 held \d+ mbufs: withheld, as it may only be paused/);
    }
    const exchanged = exchangeNumbered(lab, [c, d], { frames: FRAMES, rate: 2000 });
    await pause(500);
    const start = performance.now();
    death.guest.kill("SIGCONT");
    await death.guest.stderrLine(/the host had given us up/);
    await death.guest.stderrLine(/forwarding/);
    await recoveries.add(performance.now() - start);
    await exchanged;
    assert(await waitUntil(() => /guest 0 attached/.test(death.host.stderr)));
    assert.equal((await other.stop()).code, 0);
    await death.finish();
  }
  return recoveries.report();
};

/** By name, as `--only` has them. */
export const DEATHS: Record<string, DeathKind> = {
  "guest": killGuest,
  "host": killHost,
  "server": killServer,
  "server-then-host": killServerThenHost,
  "pause": pauseGuest,
  "creator": (...how) => dieWhileCreating("host", "name", ...how),
  "creator-file": (...how) => dieWhileCreating("host", "path", ...how),
  "creator-server": (...how) => dieWhileCreating("server", "name", ...how),
};
