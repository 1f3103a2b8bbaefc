import { COUNTER } from "../port/counters.ts";
import type { HostedPort } from "./hosted_ports.ts";
import type { HostedGuest } from "./hosted_region.ts";

/** Milliseconds for which a host that stops waits for frames in guests and links. */
export const DRAIN_MS = 500;

/** Checks in a row that must find no frame under way: an lcore may be in the middle of a turn. */
const QUIET_LOOKS = 2;

/**
 * Waits, once a host takes no more frames from ports, until those under way have been sent or
 * freed.
 */
export class Drain {
  #looks = 0;

  /** Begin to wait, until the time `end` at most, by the clock of {@linkcode isOver}. */
  constructor(
    private readonly guests: readonly HostedGuest[],
    private readonly ports: readonly HostedPort[],
    private readonly end: number,
  ) {}

  /** Whether no frame is under way any more, or the time is up. Call it several times a second. */
  isOver(now: number): boolean {
    this.#looks = this.#isQuiet() ? this.#looks + 1 : 0;
    return now >= this.end || this.#looks >= QUIET_LOOKS;
  }

  /**
   * Whether no frame is with a guest or in a link. A frame that moves meanwhile may be seen in
   * neither place, but then a port has sent some between the first look and the last.
   */
  #isQuiet(): boolean {
    const before = this.#sent();
    const isHeld = this.guests.some(({ supervisor }) => supervisor.framesOut > 0);
    return !isHeld && this.#inLinks() === 0 && this.#sent() === before;
  }

  /** Frames that ports have sent. */
  #sent(): number {
    return this.ports.reduce((sum, { counters }) => sum + counters[COUNTER.TX], 0);
  }

  /**
   * Frames that one end of a link has sent and the other not yet received. A super-frame that it
   * cuts is sent as one, and received as its segments.
   */
  #inLinks(): number {
    const { TX, LINK_CUT, RX } = COUNTER;
    return this.ports.filter(({ opened }) => opened.setup.kind === "link")
      .reduce((sum, { counters: of }) => sum + of[TX] + of[LINK_CUT] - of[RX], 0);
  }
}
