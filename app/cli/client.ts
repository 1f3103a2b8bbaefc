import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import type { Peer, PeerEvent } from "../ivshmem/peer.ts";
import type { Reconnector } from "../region/reconnector.ts";
import { PollSet, READABLE } from "../linux/poll_set.ts";
import { textOf } from "./help.ts";
import { CLIENT_COMMANDS } from "./tables/client.ts";

/** How a command ended. */
export type Outcome = "done" | "failed" | "quit";

/** Milliseconds between two tries to find a server that is gone. */
const LOOK_MS = 200;

/** Longest wait that a command may ask for: a day. */
const WAIT_MAX_S = 86_400;

/**
 * A peer that does what it is told, and tells what it hears, after QEMU's ivshmem-client:
 *
 * ```text
 * peer 3 joined
 * peer 3 left
 * interrupt 0          at vector 0
 * server gone: why
 * server found again: we are peer 4
 * ```
 */
export class Client {
  readonly #poll = new PollSet();
  readonly #wake: number = check(shim.shim_eventfd(), "make an eventfd");
  /** Of each own vector, the interrupts that no `wait` has seen. */
  readonly #unseen: number[] = [];
  #isEnding = false;
  #peer: Peer;
  #heard: () => void = () => {};

  /**
   * A client of a region; the peer is closed by {@linkcode listen} in the end.
   *
   * @param say Told what there is to say, without the line's end.
   * @param reconnector Finds the server again if it goes; left out, the client stays without one.
   */
  constructor(
    peer: Peer,
    private readonly say: (text: string) => void,
    private readonly reconnector?: Reconnector,
  ) {
    this.#peer = peer;
  }

  /** Say what happens, until {@linkcode end} is called. Then leave. */
  async listen(): Promise<void> {
    try {
      while (!this.#isEnding) {
        this.#poll.clear();
        for (const fd of [this.#wake, this.#peer.socket, ...this.#peer.vectors]) {
          this.#poll.add(fd, READABLE);
        }
        const isLost = this.reconnector !== undefined && !this.#peer.isConnected;
        await this.#poll.wait(isLost ? LOOK_MS : Infinity);
        this.hear();
        if (isLost) this.#joinAgain();
      }
    } finally {
      this.#peer.close();
      shim.shim_fd_close(this.#wake);
    }
  }

  /** Make {@linkcode listen} return. */
  end(): void {
    this.#isEnding = true;
    shim.shim_eventfd_signal(this.#wake);
  }

  /** Say what has happened so far. */
  hear(): void {
    for (const event of this.#peer.poll()) this.#tell(event);
    this.#peer.vectors.forEach((eventfd, vector) => {
      const times = shim.shim_eventfd_drain(eventfd);
      if (times <= 0) return;
      this.#unseen[vector] = (this.#unseen[vector] ?? 0) + times;
      this.say(`interrupt ${vector}`);
    });
    this.#heard();
  }

  /**
   * Carry out a line: commands with ";" between them. Commands behind one that fails are left out.
   */
  async run(line: string): Promise<Outcome> {
    for (
      const command of line.split(";").map((text) => text.trim()).filter((text) => text !== "")
    ) {
      const outcome = await this.#obey(command.split(/\s+/));
      if (outcome !== "done") return outcome;
    }
    return "done";
  }

  #joinAgain(): void {
    const peer = this.reconnector?.attempt(this.#peer, performance.now());
    if (peer === undefined) return;
    this.#peer.close();
    this.#peer = peer;
    this.say(`server found again: we are peer ${peer.id}`);
  }

  async #obey([verb, ...words]: string[]): Promise<Outcome> {
    this.hear();
    if (verb === "int" && words.length > 0 && words.length < 3) return this.#interrupt(words);
    if (verb === "wait" && words.length < 3) return await this.#wait(words);
    if (words.length > 0) return this.#fail(`no such command: ${[verb, ...words].join(" ")}`);
    switch (verb) {
      case "dump":
        this.say(this.#dump());
        return "done";
      case "help":
      case "?":
        this.say(textOf(CLIENT_COMMANDS));
        return "done";
      case "quit":
      case "exit":
        return "quit";
      default:
        return this.#fail(`no such command: ${verb}`);
    }
  }

  /** Our id, the peers, and their vectors, as QEMU's client prints them. */
  #dump(): string {
    const { id, vectors, others } = this.#peer;
    const lines = (eventfds: readonly number[]) =>
      eventfds.map((fd, vector) => `  vector ${vector} is enabled (fd=${fd})`);
    const peers = [...others].flatMap(([other, eventfds]) => [
      `peer_id = ${other}`,
      ...lines(eventfds),
    ]);
    return [`our_id = ${id}`, ...lines(vectors), ...peers].join("\n");
  }

  #interrupt([who, which]: string[]): Outcome {
    const { others } = this.#peer;
    if (who === "all" && which === undefined) {
      return this.#ring([...others].flatMap(([id, vectors]) => vectors.map((_, i) => [id, i])));
    }
    const id = numberOf(who);
    const vectors = id === undefined ? undefined : others.get(id);
    if (id === undefined || vectors === undefined) return this.#fail(`no such peer: ${who}`);
    if (which === "all") return this.#ring(vectors.map((_, vector) => [id, vector]));
    const vector = numberOf(which ?? "");
    if (vector !== undefined && vector < vectors.length) return this.#ring([[id, vector]]);
    return this.#fail(`peer ${id} has no vector ${which ?? "(which?)"}: it has ${vectors.length}`);
  }

  #ring(places: readonly (readonly number[])[]): Outcome {
    const deaf = places.filter(([id, vector]) => !this.#peer.ring(id, vector));
    if (deaf.length === 0) return "done";
    return this.#fail(`could not interrupt ${deaf.map(([id, at]) => `${id} at ${at}`).join(", ")}`);
  }

  async #wait([which = "any", seconds]: string[]): Promise<Outcome> {
    const vector = which === "any" ? undefined : numberOf(which);
    if (which !== "any" && (vector === undefined || vector >= this.#peer.vectors.length)) {
      return this.#fail(`we have no vector ${which}: we have ${this.#peer.vectors.length}`);
    }
    const limit = seconds === undefined ? Infinity : Number(seconds);
    if (!(limit >= 0 && (limit <= WAIT_MAX_S || limit === Infinity))) {
      return this.#fail(`cannot wait for ${seconds} s: 0 to ${WAIT_MAX_S} are possible`);
    }
    const end = performance.now() + limit * 1000;
    while (!this.#see(vector)) {
      const left = end - performance.now();
      if (left <= 0) return this.#fail(`no interrupt came within ${seconds} s`);
      if (this.#isEnding) return "quit";
      await this.#untilHeard(left);
    }
    return "done";
  }

  /** Take note of interrupts, of one vector or of all. Returns whether there were any. */
  #see(vector: number | undefined): boolean {
    const seen = this.#unseen.flatMap((times, i) => times > 0 && i === (vector ?? i) ? [i] : []);
    for (const i of seen) this.#unseen[i] = 0;
    return seen.length > 0;
  }

  #untilHeard(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = milliseconds === Infinity ? undefined : setTimeout(resolve, milliseconds);
      this.#heard = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #tell(event: PeerEvent): void {
    if (event.kind === "server-gone") {
      this.say(`server gone: ${event.reason}`);
      return;
    }
    this.say(`peer ${event.id} ${event.kind}`);
    if (event.kind !== "left") return;
    for (const eventfd of event.eventfds) shim.shim_fd_close(eventfd);
  }

  #fail(why: string): Outcome {
    this.say(`failed: ${why}`);
    return "failed";
  }
}

function numberOf(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) ? Number(text) : undefined;
}
