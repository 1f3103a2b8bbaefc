import type { Log } from "../linux/log.ts";
import { COUNTER } from "../port/counters.ts";
import type { Interface } from "../port/interface.ts";
import { MTU_MAX } from "./host_options.ts";
import type { HostedPort } from "./hosted_ports.ts";
import type { CountedPort } from "./summary.ts";

/** Milliseconds between two looks at the interfaces. */
const LOOK_MS = 1000;

/** Logs which ports go down or up, and which interfaces do not fit the host. */
export class InterfaceWatch {
  readonly #known = new Map<CountedPort & HostedPort, Interface>();
  #wasDown: boolean[] = [];
  #lookedAt = 0;

  /**
   * Look for the first time.
   *
   * @param ports The ports, with their queues summed.
   * @param mtu The host's MTU in bytes.
   */
  constructor(
    private readonly ports: readonly (CountedPort & HostedPort)[],
    private readonly mtu: number,
    private readonly log: Log,
  ) {
    for (const port of ports) {
      const found = port.opened.look?.();
      if (!found) continue;
      this.#known.set(port, found);
      if (found.mtu !== mtu) this.#logMtu(port, found);
    }
  }

  /** Look again, if it is time. `now` is a clock in milliseconds. */
  step(now: number): void {
    this.#logDown();
    if (now - this.#lookedAt < LOOK_MS) return;
    this.#lookedAt = now;
    for (const [port, before] of this.#known) {
      const found = port.opened.look?.();
      if (!found) continue;
      this.#known.set(port, found);
      const what = `the interface of port ${port.name}`;
      if (found.name !== before.name) this.log(`${what} is now called ${found.name}`);
      if (found.index !== before.index) this.log(`${what} was made anew`);
      if (found.mtu !== before.mtu) this.#logMtu(port, found);
      if (found.mac.toHex() !== before.mac.toHex()) {
        const mac = found.mac.toHex().replace(/..(?!$)/g, "$&:");
        this.log(
          `${what} has the MAC address ${mac} now: guests know it when the host starts anew`,
        );
      }
    }
  }

  #logDown(): void {
    this.ports.forEach(({ name, counters }, port) => {
      const isDown = counters[COUNTER.DOWN] === 1;
      if (isDown !== (this.#wasDown[port] ?? false)) {
        const what = isDown ? "down: its frames are dropped" : "up again";
        this.log(`port ${name} is ${what}`, { level: isDown ? "warning" : "info" });
      }
      this.#wasDown[port] = isDown;
    });
  }

  #logMtu(port: HostedPort, { name, mtu }: Interface): void {
    const what = `the interface of port ${port.name} has an MTU of ${mtu}, --mtu is ${this.mtu}`;
    if (mtu > MTU_MAX) {
      const both = this.mtu === MTU_MAX ? "" : `, and --mtu ${MTU_MAX}`;
      return this.log(
        `${what}: longer frames are dropped; use ip link set ${name} mtu ${MTU_MAX}${both}`,
      );
    }
    if (mtu > this.mtu) return this.log(`${what}: longer frames are dropped; use --mtu ${mtu}`);
    if (mtu === this.mtu) return this.log(what);
    this.log(
      `${what}: it refuses longer frames; use ip link set ${name} mtu ${this.mtu}, or --mtu ${mtu}`,
    );
  }
}
