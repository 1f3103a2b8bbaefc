import { fileURLToPath } from "node:url";
import { shim } from "../../ffi/shim.ts";
import { type AgentAnswer, type AgentOrder, isWhole, SHARED } from "./agent.ts";
import { type RunOptions, SharedRings } from "./shared_rings.ts";
import { pause } from "../kit/wait.ts";

/** How it went. */
export interface RunResult {
  readonly seconds: number;
  /** Objects that went through a ring. */
  readonly moved: number;
  /** What was wrong; nothing should be. */
  readonly complaints: readonly string[];
}

/** How long an agent may take to come, and to end. */
const PATIENCE_MS = 30_000;

const ENDLESS_MS = 24 * 3600_000;

/** An agent that was started, and how to end it if it does not end by itself. */
interface Started {
  readonly answer: Promise<AgentAnswer>;
  kill(): void;
}

function startWorker(order: AgentOrder): Started {
  const worker = new Worker(new URL("./agent_worker.ts", import.meta.url), { type: "module" });
  const answer = new Promise<AgentAnswer>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<AgentAnswer>) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(`agent ${order.agent} failed: ${event.message}`));
    };
  });
  worker.postMessage(order);
  return { answer, kill: () => worker.terminate() };
}

function startProcess(order: AgentOrder): Started {
  const program = fileURLToPath(new URL("./agent_process.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", program, JSON.stringify(order)],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const answer = child.output().then(({ success, stdout, stderr }) => {
    const decoder = new TextDecoder();
    if (success) return JSON.parse(decoder.decode(stdout)) as AgentAnswer;
    throw new Error(`agent ${order.agent} failed: ${decoder.decode(stderr)}`);
  });
  const kill = () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
  };
  return { answer, kill };
}

/** Reject if nothing else comes of `promise` in time. */
async function within<T>(milliseconds: number, promise: Promise<T>, what: string): Promise<T> {
  let timer;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(what)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** What the agents and the rings say together: each object must be somewhere, once. */
function audit(shared: SharedRings, answers: readonly AgentAnswer[]): string[] {
  const complaints = answers.flatMap(({ wrong, reordered, first }, agent) => [
    ...(wrong > 0 ? [`${wrong} objects wrong; ${first}`] : []),
    ...(reordered > 0 ? [`agent ${agent} saw ${reordered} objects out of order`] : []),
  ]);
  const times = new Uint32Array(shared.objectCount);
  const { mode, size } = shared.options;
  const found = shared.drain();
  const fullest = Math.max(...found.map(({ length }) => length));
  if (fullest > mode.capacity(size)) complaints.push(`${fullest} objects were in a ring`);
  for (const object of [...found.flat(), ...answers.flatMap(({ held }) => held)]) times[object]++;
  const lost = times.filter((n) => n === 0).length, doubled = times.filter((n) => n > 1).length;
  if (lost + doubled > 0) complaints.push(`${lost} objects lost, ${doubled} doubled`);
  const broken = Array.from(times, (_, object) => object)
    .filter((object) => !isWhole(shared.memory.u32, shared.objects >>> 2, object));
  if (broken.length > 0) complaints.push(`${broken.length} objects broken in the end`);
  return complaints;
}

/**
 * Let a team move objects through rings for a while, from just below 2^32 on. Each agent takes up
 * to `burstMax` out, checks them, writes all over them, checks that nobody else did, leaves them as
 * its own, and puts them into the other ring.
 */
export async function runMode(options: RunOptions): Promise<RunResult> {
  const { team, seconds } = options;
  const shared = new SharedRings(options);
  const { memory } = shared;
  const orders = shared.orders();
  const agents = orders.map((order, i) =>
    i < orders.length - team.processes ? startWorker(order) : startProcess(order)
  );
  try {
    const answers = Promise.all(agents.map(({ answer }) => answer));
    answers.catch(() => {}); // it is looked at below
    const allHere = async () => {
      while (memory.load(SHARED.HERE) < agents.length) await pause(5);
    };
    await within(
      PATIENCE_MS,
      Promise.race([allHere(), answers]),
      "not all agents have come",
    );
    const start = shim.shim_clock();
    memory.store(SHARED.GO, 1);
    const elapsed = () => (shim.shim_clock() - start) / 1e9;
    const over = async () => {
      while (elapsed() < seconds) {
        await pause(Math.min(1000, (seconds - elapsed()) * 1000 + 1));
        options.onProgress?.(elapsed());
      }
    };
    await within(ENDLESS_MS, Promise.race([over(), answers]), "");
    const took = elapsed();
    memory.store(SHARED.STOP, 1);
    const all = await within(PATIENCE_MS, answers, "an agent hangs");
    const moved = all.reduce((sum, { moved }) => sum + moved, 0);
    return { seconds: took, moved, complaints: audit(shared, all) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { seconds: 0, moved: 0, complaints: [message] };
  } finally {
    memory.store(SHARED.GO, 1);
    memory.store(SHARED.STOP, 1);
    for (const { kill } of agents) kill();
    shared.close();
  }
}
