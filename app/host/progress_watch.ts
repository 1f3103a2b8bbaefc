import type { Log } from "../linux/log.ts";
import { COUNTER } from "../port/counters.ts";
import type { HostedPort } from "./hosted_ports.ts";
import type { HostedRegion } from "./hosted_region.ts";

/** How long an lcore may take for a turn of its loop; one that sleeps wakes four times a second. */
const STALL_MS = 2000;

/** How long a host waits for guests before it says which are missing. */
const MISSING_MS = 2000;

/** Most missing guests that are named. */
const NAMED_MAX = 4;

/** An lcore, as it was found last. */
interface Lcore {
  readonly core: number;
  readonly port: HostedPort;
  rounds: number;
  since: number;
  isStalled: boolean;
}

/** Logs lcores that do not come round their loop, and guests that do not come. */
export class ProgressWatch {
  readonly #lcores: readonly Lcore[];
  #missingAt?: number;

  /**
   * Look for the first time, as the lcores begin.
   *
   * @param cores Of the lcores, by number.
   * @param now A clock in milliseconds.
   */
  constructor(
    private readonly regions: readonly HostedRegion[],
    ports: readonly HostedPort[],
    cores: readonly number[],
    now: number,
    private readonly log: Log,
  ) {
    this.#lcores = cores.flatMap((core, lcore) => {
      const port = ports.find((its) => its.lcore === lcore);
      return port ? [{ core, port, rounds: -1, since: now, isStalled: false }] : [];
    });
    this.#missingAt = now + MISSING_MS;
  }

  /** Whether all lcores come round their loops. */
  get isMoving(): boolean {
    return this.#lcores.every(({ isStalled }) => !isStalled);
  }

  /** Look again; `now` is the same clock. */
  step(now: number): void {
    for (const lcore of this.#lcores) this.#follow(lcore, now);
    if (this.#missingAt === undefined || now < this.#missingAt) return;
    this.#missingAt = undefined;
    this.#tellMissing();
  }

  #follow(lcore: Lcore, now: number): void {
    const rounds = lcore.port.counters[COUNTER.ROUNDS];
    if (rounds !== lcore.rounds) {
      if (lcore.isStalled) this.log(`lcore on core ${lcore.core} goes on`);
      Object.assign(lcore, { rounds, since: now, isStalled: false });
    } else if (!lcore.isStalled && now - lcore.since >= STALL_MS) {
      lcore.isStalled = true;
      const seconds = STALL_MS / 1000;
      this.log(`lcore on core ${lcore.core} stands still: no turn of its loop for ${seconds} s`, {
        level: "error",
      });
    }
  }

  #tellMissing(): void {
    const missing = this.regions.flatMap(({ name, guests }) =>
      guests.filter(({ supervisor }) => !supervisor.isOpen).map(({ number }) => ({ name, number }))
    );
    if (missing.length === 0) return;
    const [{ name, number }] = missing;
    const named = missing.slice(0, NAMED_MAX).map((one) => `guest ${one.number} of ${one.name}`);
    const more = missing.length > NAMED_MAX ? ` and ${missing.length - NAMED_MAX} more` : "";
    const which = number === 0 ? "" : ` --guest ${number}`;
    const whose = missing.length === 1 ? "its" : "their";
    this.log(
      `no ${
        named.join(", ")
      }${more} yet: ${whose} ports' frames are dropped meanwhile. Start: culvert ` +
        `guest --region ${name}${which}, or a VM: culvert qemu --region ${name}${which} --run`,
    );
  }
}
