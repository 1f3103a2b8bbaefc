import { pause, until } from "../kit/wait.ts";
import type { Random } from "../kit/random.ts";
import type { Stage } from "./stage.ts";

/** What a fault does to one of the targets. */
type Action = "kill" | "stop" | "freeze" | "cut" | "attack";

/** `guest` is one of them, chosen at random; `link` is one of its interfaces. */
type Target = "guest" | "guests" | "host" | "server" | "link";

/** Something that happens to the processes or interfaces of a stage. */
export interface Fault {
  readonly name: string;
  /** What happens to what, in this order. All of it is undone in the reverse order. */
  readonly does: readonly (readonly [action: Action, target: Target])[];
  /** For how many milliseconds, at least and at most, until it is undone. */
  readonly lasts: readonly [least: number, most: number];
  readonly expected: {
    /**
     * What becomes of frames that do not arrive. `counted`: the host or the kernel counts each.
     * `with the host`: or they were under way when the host ended, or sent while there was none.
     */
    readonly losses: "counted" | "with the host";
    /** Milliseconds after which frames flow again, half of the times at least. */
    readonly back: number;
  };
  /** How often it comes in a soak, beside the others; 0 for never. */
  readonly weight: number;
}

/** A second is promised where one thing was killed and nothing waits for a time-out. */
const PROMPT = 1000, SLOW = 3000;

const COUNTED = { losses: "counted", back: PROMPT } as const;
const COUNTED_SLOW = { losses: "counted", back: SLOW } as const;
const WITH_HOST = { losses: "with the host", back: PROMPT } as const;
const WITH_HOST_SLOW = { losses: "with the host", back: SLOW } as const;

/** All faults. To add one, add a row; an action or target of a new kind goes into `inflict()`. */
// deno-fmt-ignore
export const FAULTS: readonly Fault[] = [
  { name: "guest killed", does: [["kill", "guest"]],
    lasts: [0, 1500], expected: COUNTED, weight: 4 },
  { name: "guest stopped", does: [["stop", "guest"]],
    lasts: [0, 1500], expected: COUNTED_SLOW, weight: 2 },
  { name: "guest paused until given up", does: [["freeze", "guest"]],
    lasts: [2500, 4000], expected: COUNTED_SLOW, weight: 2 },
  { name: "guest paused shortly", does: [["freeze", "guest"]],
    lasts: [50, 800], expected: COUNTED_SLOW, weight: 1 },
  { name: "guests killed", does: [["kill", "guests"]],
    lasts: [0, 500], expected: COUNTED_SLOW, weight: 1 },
  { name: "interface down and up", does: [["cut", "link"]],
    lasts: [50, 800], expected: COUNTED_SLOW, weight: 3 },
  { name: "host paused", does: [["freeze", "host"]],
    lasts: [100, 4500], expected: COUNTED_SLOW, weight: 1 },
  { name: "host killed", does: [["kill", "host"]],
    lasts: [0, 1000], expected: WITH_HOST, weight: 1.5 },
  { name: "host stopped", does: [["stop", "host"]],
    lasts: [0, 1000], expected: WITH_HOST_SLOW, weight: 1.5 },
  { name: "host and guest killed", does: [["kill", "guest"], ["kill", "host"]],
    lasts: [0, 1000], expected: WITH_HOST_SLOW, weight: 1 },
  { name: "server killed", does: [["kill", "server"]],
    lasts: [0, 0], expected: COUNTED, weight: 1 },
  { name: "server, then host killed", does: [["kill", "server"], ["kill", "host"]],
    lasts: [0, 0], expected: WITH_HOST, weight: 0.5 },
  { name: "attack", does: [["attack", "guests"]],
    lasts: [5000, 5000], expected: COUNTED_SLOW, weight: 0 },
];

/** A fault by its name. */
export function faultNamed(name: string): Fault | undefined {
  return FAULTS.find((fault) => fault.name === name);
}

/** Pick a fault by weight. */
export function pickFault(faults: readonly Fault[], random: Random): Fault {
  let at = random.fraction() * faults.reduce((sum, { weight }) => sum + weight, 0);
  return faults.find(({ weight }) => (at -= weight) < 0) ?? faults[faults.length - 1];
}

/** A fault that is on: what it concerns, and how to undo it. */
export interface Struck {
  /** The guests whose frames must flow again. */
  readonly guests: readonly number[];
  /** Seconds until all had found another server; 0 unless the server was killed. */
  readonly reconnected: number;
  undo(): Promise<void>;
}

/** Let a fault strike, and last. */
export async function strike(fault: Fault, stage: Stage, random: Random): Promise<Struck> {
  const chosen = random.below(stage.guests.length);
  const undoes: (() => Promise<void>)[] = [];
  let reconnected = 0;
  for (const [action, target] of fault.does) {
    const start = performance.now();
    undoes.unshift(await inflict(action, target, chosen, stage, random));
    if (target === "server") reconnected = (performance.now() - start) / 1000;
  }
  const [least, most] = fault.lasts;
  await pause(least + random.fraction() * (most - least));
  const isLocal = fault.does.every(([, target]) => target === "guest" || target === "link");
  return {
    guests: isLocal ? [chosen] : [...stage.guests.keys()],
    reconnected,
    async undo() {
      for (const undo of undoes) await undo();
    },
  };
}

/** Do something to something; returns how it is undone. */
async function inflict(
  action: Action,
  target: Target,
  chosen: number,
  stage: Stage,
  random: Random,
): Promise<() => Promise<void>> {
  const { guests, host } = stage;
  const concerned = target === "guests" ? guests : [guests[chosen]];
  switch (`${action} ${target}` as const) {
    case "kill guest":
    case "kill guests":
      await Promise.all(concerned.map((guest) => guest.kill()));
      return () => Promise.resolve(concerned.forEach((guest) => guest.start()));
    case "stop guest":
      await guests[chosen].stop();
      return () => Promise.resolve(guests[chosen].start());
    case "freeze guest":
      await guests[chosen].freeze();
      return () => guests[chosen].thaw();
    case "kill host":
      await stage.killHost();
      return () => stage.startHost();
    case "stop host":
      await stage.stopHost();
      return () => stage.startHost();
    case "freeze host":
      await host.freeze();
      return () => Promise.resolve(host.kill("SIGCONT"));
    case "kill server":
      return await killServer(stage);
    case "cut link": {
      const link = random.pick([stage.pairs[chosen].tap, stage.pairs[chosen].outer]);
      const set = (to: string) => stage.lab.run("ip", "-n", stage.netns, "link", "set", link, to);
      await set("down");
      return () => set("up").then(() => {});
    }
    case "attack guests":
      await stage.attack!.begin(); // it goes on until the host has been stopped
      return () => stage.attack!.seen();
    default:
      throw new Error(`Cannot ${action} ${target}: inflict() does not say how`);
  }
}

/** Kill the server, and wait until all its members have joined another one. */
async function killServer(stage: Stage): Promise<() => Promise<void>> {
  const server = stage.serverPid();
  if (server === undefined) throw new Error("there is no server");
  const before = stage.timesReconnected();
  Deno.kill(server, "SIGKILL");
  const haveAll = () => stage.timesReconnected().every((times, i) => times > before[i]);
  await until(haveAll, "all have joined another server");
  return () => Promise.resolve();
}
