import assert from "node:assert/strict";
import { pause, waitUntil } from "../kit/lab.ts";
import type { Random } from "../kit/random.ts";
import { PAIRS, type Stage } from "./stage.ts";
import type { Traffic } from "./traffic.ts";

/** What a fault needs. */
export interface Scene {
  readonly stage: Stage;
  readonly traffic: Traffic;
  readonly random: Random;
}

/** A fault has been, and what it hurt is on its way back. */
export interface Struck {
  /** Pairs whose frames must come through again. */
  readonly pairs: readonly number[];
  /** Set at the moment from which recovery is counted. */
  readonly mark: number;
}

/** Something that happens to the processes or interfaces. */
export interface Fault {
  readonly name: string;
  /** How often it comes, beside the others. */
  readonly weight: number;
  /**
   * Whether every frame that is lost has been counted by somebody who lives. If not, those that were
   * under way, or sent while no host was there, are lost with it: within its window, and only there.
   */
  readonly isExact: boolean;
  readonly strike: (scene: Scene) => Promise<Struck>;
}

const ALL = Array.from({ length: PAIRS }, (_, pair) => pair);

/** All that may happen, by name. */
export const FAULTS: readonly Fault[] = [
  {
    name: "guest killed",
    weight: 4,
    isExact: true,
    strike: async (scene) => {
      const { guest, stage } = choose(scene);
      await stage.guests[guest].kill();
      await pauseFor(scene, 0, 1500);
      return await restart(scene, [guest], () => stage.guests[guest].start());
    },
  },
  {
    name: "guest stopped",
    weight: 2,
    isExact: true,
    strike: async (scene) => {
      const { guest, stage } = choose(scene);
      await stage.guests[guest].stop();
      await pauseFor(scene, 0, 1500);
      return await restart(scene, [guest], () => stage.guests[guest].start());
    },
  },
  {
    name: "guest paused beyond the time-out",
    weight: 2,
    isExact: true,
    strike: async (scene) => await pauseGuest(scene, 2500, 4000),
  },
  {
    name: "guest paused shortly",
    weight: 1,
    isExact: true,
    strike: async (scene) => await pauseGuest(scene, 50, 800),
  },
  {
    name: "interface down and up",
    weight: 3,
    isExact: true,
    strike: async (scene) => {
      const { guest, stage } = choose(scene);
      const { lab, netns } = stage;
      const { tap, outer } = stage.pairs[guest];
      const link = scene.random.pick([tap, outer]);
      await lab.run("ip", "-n", netns, "link", "set", link, "down");
      await pauseFor(scene, 50, 800);
      const up = () => lab.run("ip", "-n", netns, "link", "set", link, "up");
      return await restart(scene, [guest], up);
    },
  },
  {
    name: "both guests killed at once",
    weight: 1,
    isExact: true,
    strike: async (scene) => {
      const { stage } = scene;
      await Promise.all(stage.guests.map((guest) => guest.kill()));
      await pauseFor(scene, 0, 500);
      return await restart(scene, ALL, () => stage.guests.forEach((guest) => guest.start()));
    },
  },
  {
    name: "host paused",
    weight: 1,
    isExact: true,
    strike: async (scene) => {
      const { host } = scene.stage;
      await host.freeze();
      await pauseFor(scene, 100, 4500);
      return await restart(scene, ALL, () => host.kill("SIGCONT"));
    },
  },
  {
    name: "server killed",
    weight: 1,
    isExact: true,
    strike: async (scene) => {
      const { stage } = scene;
      const server = stage.serverPid();
      assert(server !== undefined, "there is no server");
      const before = stage.timesReconnected();
      const struck = await restart(scene, ALL, () => Deno.kill(server, "SIGKILL"));
      const haveAll = () => stage.timesReconnected().every((times, i) => times > before[i]);
      assert(await waitUntil(haveAll), "not all have joined another server");
      return struck;
    },
  },
  {
    name: "host killed",
    weight: 1.5,
    isExact: false,
    strike: async (scene) => {
      await scene.stage.killHost();
      await pauseFor(scene, 0, 1000);
      return await restart(scene, ALL, () => scene.stage.startHost());
    },
  },
  {
    name: "host and a guest killed",
    weight: 1,
    isExact: false,
    strike: async (scene) => {
      const { guest, stage } = choose(scene);
      await Promise.all([stage.killHost(), stage.guests[guest].kill()]);
      await pauseFor(scene, 0, 1000);
      return await restart(scene, ALL, () => {
        stage.guests[guest].start();
        return stage.startHost();
      });
    },
  },
  {
    name: "host stopped",
    weight: 1.5,
    isExact: false,
    strike: async (scene) => {
      await scene.stage.stopHost();
      await pauseFor(scene, 0, 1000);
      return await restart(scene, ALL, () => scene.stage.startHost());
    },
  },
];

/** Pick a fault by weight. */
export function pickFault(faults: readonly Fault[], random: Random): Fault {
  let at = random.fraction() * faults.reduce((sum, { weight }) => sum + weight, 0);
  return faults.find(({ weight }) => (at -= weight) < 0) ?? faults[faults.length - 1];
}

async function pauseGuest(scene: Scene, least: number, most: number): Promise<Struck> {
  const { guest, stage } = choose(scene);
  const running = stage.guests[guest];
  await running.freeze();
  await pauseFor(scene, least, most);
  return await restart(scene, [guest], () => running.thaw());
}

function choose({ stage, random }: Scene): { guest: number; stage: Stage } {
  return { guest: random.below(PAIRS), stage };
}

function pauseFor({ random }: Scene, least: number, most: number): Promise<void> {
  return pause(least + random.fraction() * (most - least));
}

/** Recovery is counted from before the restart. */
async function restart(
  { traffic }: Scene,
  pairs: readonly number[],
  body: () => unknown,
): Promise<Struck> {
  const mark = await traffic.mark();
  await body();
  return { pairs, mark };
}
