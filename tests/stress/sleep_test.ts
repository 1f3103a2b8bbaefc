import { equal, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { check } from "../../ffi/error.ts";
import { sealedMemfd } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { Folder } from "../ffi/folder.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { HandshakeAnswer, HandshakeOrder, Lack } from "./handshake_worker.ts";
import { PLACE, type SleeperAnswer, type SleeperOrder } from "./sleeper.ts";
import { pause } from "../kit/wait.ts";

const worker = new URL("./sleeper_worker.ts", import.meta.url);
const program = new URL("./sleeper_process.ts", import.meta.url);

/** However many are lost: it goes on. */
const ALL = 1e9;

/** Memory and eventfds of one game. */
class Court implements Disposable {
  readonly #memfd = sealedMemfd("court", PLACE.BYTES);
  readonly eventfds: readonly [number, number] = [shim.shim_eventfd(), shim.shim_eventfd()];

  order(side: 0 | 1, looksTwice: boolean, seconds: number, lostMax: number): SleeperOrder {
    const path = `/proc/${Deno.pid}/fd/${this.#memfd}`;
    return { side, path, eventfds: this.eventfds, looksTwice, seconds, lostMax };
  }

  [Symbol.dispose](): void {
    for (const fd of [this.#memfd, ...this.eventfds]) shim.shim_fd_close(fd);
  }
}

/** Both sides, as Workers. */
async function playWorkers(looksTwice: boolean, seconds: number, lostMax: number) {
  using court = new Court();
  return await runWorkers<SleeperOrder, SleeperAnswer>(worker, [
    court.order(0, looksTwice, seconds, lostMax),
    court.order(1, looksTwice, seconds, lostMax),
  ]);
}

/** Give a process that will connect at `listener` both eventfds. */
async function passEventfds(listener: number, eventfds: readonly number[]): Promise<void> {
  let socket;
  for (let tries = 0; (socket = shim.shim_unix_accept(listener, 0)) < 0 && tries < 2000; tries++) {
    await pause(5);
  }
  check(socket, "accept the process");
  for (const fd of eventfds) check(shim.shim_unix_send(socket, 0n, fd), "pass an eventfd");
  shim.shim_fd_close(socket);
}

/** Side 0 a Worker, side 1 a process. */
async function playProcess(seconds: number): Promise<SleeperAnswer[]> {
  using court = new Court();
  using folder = new Folder();
  const path = `${folder.path}/socket`;
  const listener = check(shim.shim_unix_listen(cString(path)), "listen");
  const order = JSON.stringify(court.order(1, true, seconds, ALL));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", fileURLToPath(program), order, path],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  try {
    await passEventfds(listener, court.eventfds);
    const [ours] = await runWorkers<SleeperOrder, SleeperAnswer>(worker, [
      court.order(0, true, seconds, ALL),
    ]);
    const { stdout } = await child.output();
    return [ours, JSON.parse(new TextDecoder().decode(stdout))];
  } finally {
    shim.shim_fd_close(listener);
  }
}

/** How long something is looked for that must not happen, and most, that must: it ends the game. */
const SECONDS = 2, PATIENCE_SECONDS = 60;

const ENOUGH = 500;

function checkAnswers(answers: readonly SleeperAnswer[]): void {
  for (const { lost, woken, raised, caught } of answers) {
    equal(lost, 0, `${lost} of ${raised} sleeps ended by their time-out with work waiting`);
    ok(woken > ENOUGH, `only ${woken} were woken of ${raised} that raised their flag, ${caught}`);
  }
}

Deno.test("no wake-up is lost between two Workers that sleep whenever there is nothing to do", async () => {
  checkAnswers(await playWorkers(true, SECONDS, ALL));
});

Deno.test("no wake-up is lost between a Worker and a process", async () => {
  checkAnswers(await playProcess(SECONDS));
});

Deno.test("wake-ups are lost without the second look", async () => {
  const answers = await playWorkers(false, PATIENCE_SECONDS, 1);
  const lost = answers.reduce((sum, { lost }) => sum + lost, 0);
  ok(lost > 0, `none was, of ${answers[0].raised + answers[1].raised} sleeps`);
});

// A sleep takes so long that it seldom begins in the nanoseconds in which a fence matters. So here
// nobody sleeps: both sides do at the same moment, again and again, what they do before a sleep.

async function shakeHands(lacks: Lack): Promise<HandshakeAnswer> {
  using memory = freshMemory(4 * 4096);
  const start = new Int32Array(new SharedArrayBuffer(4));
  const [sleeper, ringer] = await runWorkers<HandshakeOrder, HandshakeAnswer>(
    new URL("./handshake_worker.ts", import.meta.url),
    (["sleeper", "ringer"] as const).map((role) => ({
      role,
      lacks,
      memory: memory.handle,
      start,
      seconds: lacks === "nothing" ? SECONDS : PATIENCE_SECONDS,
    })),
  );
  return { ...sleeper, rang: ringer.rang };
}

Deno.test("The sleeper sees the work or is notified, whichever side is first", async () => {
  const { rounds, missed, saw, rang } = await shakeHands("nothing");
  equal(missed, 0, `${missed} of ${rounds} times neither`);
  ok(rounds > 10_000 && saw > 100 && rang > 100, `${rounds} rounds: saw ${saw}, rang ${rang}`);
});

for (const lacks of ["the sleeper's fence", "the ringer's fence"] as const) {
  Deno.test(`neither happens now and then without ${lacks}`, async () => {
    const { rounds, missed } = await shakeHands(lacks);
    ok(missed > 0, `it did not, in ${rounds} rounds`);
  });
}
