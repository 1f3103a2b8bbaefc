import { CulvertError } from "../../ffi/error.ts";
import { RegionNotReadyError } from "../memory/region.ts";
import { type Attachment, hostPeerOf } from "./attachment.ts";
import { AskedToLeaveError, Claim } from "./claim.ts";
import { Forwarding } from "./forwarding.ts";
import type { Functions } from "./function/load.ts";
import type { GuestOptions } from "./guest_options.ts";
import type { Interrupts } from "./interrupts.ts";
import type { GuestPlatform } from "./guest_platform.ts";
import type { LoadedVersion } from "./lcore_run.ts";
import type { RegionLink } from "./region_link.ts";
import { checkSuccessor, type Swapped } from "./swap.ts";
import { openOrTell, reasonOf, waitedFor } from "./waiting.ts";

/** Milliseconds between two steps: in a hurry; while the guest waits for something; otherwise. */
const SOON_MS = 5, WAIT_MS = 100, QUIET_MS = 250;

/**
 * Milliseconds for which a region may be unsound, as its host may be building it, or a place taken:
 * a host sees only after 2 s, a busy one later, that a guest has died.
 */
const PATIENCE_MS = 5000;

/** Milliseconds within which a device should be unplugged; a guest kernel takes 5 s and more. */
const UNPLUG_MS = 30_000;

/**
 * Where a guest is in its life: looking for the region; loading its lcores; claiming a place;
 * forwarding; waiting until the host has taken its mbufs back; waiting until a device is unplugged;
 * over.
 */
type Phase = "looking" | "loading" | "claiming" | "forwarding" | "leaving" | "unplugging" | "over";

/**
 * A guest: it claims a place in a region, its lcores forward, and when the host goes away or starts
 * anew it claims the place again.
 *
 * Nothing in it waits: {@linkcode step} does what is due, until {@linkcode isOver}. In programs,
 * `runGuest()` calls it.
 */
export class Guest {
  #phase: Phase = "looking";
  #isStopping = false;
  /**
   * The functions, and the lcores' threads. These are made once for each version of the functions:
   * loading takes a second and more in a VM.
   */
  #version: LoadedVersion;
  #link?: RegionLink;
  /** Whether the host is asked to lend mbufs. */
  readonly #isLent: boolean;
  /** The device that was let go of, as it is to be unplugged. */
  #unplugged?: RegionLink;
  #claim?: Claim;
  #interrupts?: Interrupts;
  #attachment?: Attachment;
  #forwarding?: Forwarding;
  /** What the lcores have left when they forwarded last. */
  #legacy: Forwarding["legacy"] = [];
  #hasLeft: (now: number) => boolean = () => true;
  /** Thrown once the place has been left. */
  #failure?: unknown;
  /** Since when the guest tries to get a place; undefined before it has found the region. */
  #claimingSince?: number;
  /** Since when the device should be unplugged. */
  #unpluggedSince = 0;
  /** For how long the region may be unsound: its host may be just building it. */
  #patience = PATIENCE_MS;
  /** The last line about what is waited for. */
  #told = "";

  /** A guest that has not begun to look for its region. */
  constructor(
    private readonly options: GuestOptions,
    functions: Functions,
    private readonly platform: GuestPlatform,
  ) {
    this.#version = { functions, threads: [] };
    this.#isLent = functions.originates || options.takesPushes;
  }

  /** Whether it has stopped, and left its region. */
  get isOver(): boolean {
    return this.#phase === "over";
  }

  /** Milliseconds until the next {@linkcode step} is due. */
  get stepMs(): number {
    if (this.#claim || this.#phase === "leaving" || this.#forwarding?.isSwapping) return SOON_MS;
    return this.#phase === "forwarding" ? QUIET_MS : WAIT_MS;
  }

  /** Its lcores at work; undefined while nothing is forwarded. */
  get forwarding(): Forwarding | undefined {
    return this.#forwarding;
  }

  /** Whether every function returns. */
  get isMoving(): boolean {
    return this.#forwarding?.isMoving ?? true;
  }

  /** Stop forwarding, and leave. */
  stop(): void {
    this.#isStopping = true;
    this.#forwarding?.stop();
  }

  /**
   * Let other functions, which their threads have loaded, take over at the end of a burst. If it
   * rejects, the present ones go on.
   *
   * @throws {CulvertError} if they make frames, and the host lends no mbufs for that.
   */
  async swap(version: LoadedVersion): Promise<Swapped> {
    const last = this.#version;
    checkSuccessor(version.functions, this.#isLent);
    const swapped = this.#forwarding?.swap(version, this.platform.clock());
    this.platform.wake();
    const how = await swapped ?? { pauseMs: 0, lost: 0 };
    this.#version = version;
    for (const thread of last.threads) thread.close();
    return how;
  }

  /** Let go of the region, and end the lcores' threads. No lcore may be running. */
  close(): void {
    this.#link?.close();
    for (const thread of this.#version.threads) thread.close();
  }

  /**
   * Do what is due.
   *
   * @throws {CulvertError} if the region is not sound, the options do not fit it, or an lcore
   * fails: all that is left is to {@linkcode close}.
   */
  step(): void {
    const now = this.platform.clock();
    switch (this.#phase) {
      case "looking":
        return this.#look(now);
      case "loading":
        return this.#load(now);
      case "claiming":
        return this.#attach(now);
      case "forwarding":
        return this.#follow(now);
      case "leaving":
        return this.#endIfLeft(now);
      case "unplugging":
        return this.#lookIfUnplugged(now);
    }
  }

  /** Open the region, once there is one. */
  #look(now: number): void {
    if (this.#isStopping) {
      this.#phase = "over";
      return;
    }
    const { source, cores } = this.options;
    const { log, wake } = this.platform;
    const isWaiting = this.#patience === Infinity || this.#told !== "";
    const tell = (line: string) => this.#tell(line);
    const link = this.#link = openOrTell(source, this.platform, isWaiting, tell);
    if (link === undefined) return;
    if ("pci" in source) log(link.description);
    if (this.#version.threads.length === 0) {
      const threads = cores.map((core) => this.platform.spawn(core));
      for (const { ready } of threads) ready.then(wake, wake);
      this.#version = { functions: this.#version.functions, threads };
    }
    // Before the host is told that we are there: from then on frames wait for the lcores.
    this.#phase = "loading";
    this.#load(now);
  }

  #load(now: number): void {
    if (!this.#version.threads.every((thread) => thread.isReady())) return;
    this.#phase = "claiming";
    this.#claimingSince ??= now;
    this.#attach(now);
  }

  /**
   * Claim a place. A region that is not sound may be one that its host is just building. A guest
   * waits as long as it takes if it was attached before, or if a server keeps the region for a host
   * to come.
   */
  #attach(now: number): void {
    const link = this.#link!;
    if (this.#claim === undefined && (this.#isStopping || link.isCutOff)) {
      return this.#lookAgain(!this.#isStopping, now);
    }
    try {
      this.#claim ??= this.#beginClaim(link, now);
      this.#attachment = this.#claim.step(now);
      if (this.#attachment === undefined) return;
      this.#claim = undefined;
    } catch (error) {
      this.#claim = undefined;
      if (!(error instanceof CulvertError)) throw error;
      const mayBecomeReady = error instanceof RegionNotReadyError && link.peer !== undefined;
      if (error instanceof AskedToLeaveError && link.isPlugged) return this.#lookAgain(true, now);
      const isWaiting = mayBecomeReady || error instanceof AskedToLeaveError;
      const waited = now - this.#claimingSince!;
      if (!isWaiting && waited > this.#patience) throw error;
      const wanted = waitedFor(error, waited, link.isPlugged !== undefined);
      if (wanted !== undefined) this.#tell(wanted);
      if (!link.isFile || !(error instanceof RegionNotReadyError)) return;
      link.close(); // a host that ends does not remove a file that a program has open
      this.#link = undefined;
      this.#phase = "looking";
      return;
    }
    this.#forward(this.#attachment, now);
  }

  #beginClaim(link: RegionLink, now: number): Claim {
    const { source, guest } = this.options;
    const name = "region" in source ? source.region : `PCI ${source.pci}`;
    link.poll(now);
    this.#interrupts = link.interrupts(hostPeerOf(link.memory));
    const claimant = {
      pid: Deno.pid,
      wantsMbufs: this.#isLent,
      peer: link.peer,
      notifies: this.#interrupts !== undefined,
    };
    return new Claim(link.memory, name, guest, claimant, now);
  }

  #forward(attachment: Attachment, now: number): void {
    const { options, platform: { log, wake } } = this;
    const what = [this.#interrupts, options, this.#version, this.#legacy] as const;
    this.#phase = "forwarding";
    try {
      this.#forwarding = new Forwarding(attachment, ...what, log, wake);
    } catch (error) {
      this.#failure = error;
      return this.#leave(now);
    }
    if (this.#isStopping) this.#forwarding.stop();
  }

  #follow(now: number): void {
    const forwarding = this.#forwarding!;
    if (!forwarding.hasEnded) return forwarding.step(this.#link!, now);
    this.#failure = forwarding.failure;
    if (this.#failure === undefined) {
      this.platform.log(reasonOf(this.#attachment!, this.#isStopping));
      this.platform.log(forwarding.statistics.summary);
    }
    const { legacy } = forwarding; // of lcores that have no port any more the last stays
    this.#legacy = [...legacy, ...this.#legacy.slice(legacy.length)];
    forwarding.close();
    this.#forwarding = undefined;
    this.#leave(now);
  }

  #leave(now: number): void {
    this.#hasLeft = this.#attachment!.leave(now);
    this.#phase = "leaving";
    this.#endIfLeft(now);
  }

  #endIfLeft(now: number): void {
    if (!this.#hasLeft(now)) return;
    if (this.#failure !== undefined) throw this.#failure;
    this.#lookAgain(this.#attachment!.isAskedToLeave, now);
  }

  /** Let go of the region. If we were asked to leave, look for it only once its device is gone. */
  #lookAgain(wasAskedToLeave: boolean, now: number): void {
    const link = this.#link!;
    link.close();
    this.#link = undefined;
    this.#unplugged = link;
    this.#attachment = undefined;
    this.#patience = Infinity;
    this.#told = "";
    this.#claimingSince = undefined;
    this.#unpluggedSince = now;
    this.#phase = wasAskedToLeave ? "unplugging" : "looking";
    this.step();
  }

  /** The device is about to be unplugged: do not touch it until it is gone, or stays after all. */
  #lookIfUnplugged(now: number): void {
    const isThere = this.#unplugged?.isPlugged?.() ?? false;
    if (isThere && !this.#isStopping && now - this.#unpluggedSince <= UNPLUG_MS) return;
    this.#phase = "looking";
    this.#look(now);
  }

  #tell(line: string): void {
    if (line !== this.#told) this.platform.log(this.#told = line);
  }
}
