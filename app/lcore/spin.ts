/** The first spin, and the longest, in nanoseconds. */
const FIRST_NS = 10_000, MAX_NS = 200_000;

/**
 * How long an lcore that finds nothing looks on before it sleeps. It is learned, as KVM's halt
 * polling is (Linux, Documentation/virt/kvm/halt-polling.rst): a spin that was just too short is
 * doubled; if the next work came so late that no spin would have reached it, the spin is halved;
 * and if another thread waits for the core, there is none.
 */
export class Spin {
  #ns = FIRST_NS;

  /** How long the next one is to be. */
  get nanoseconds(): number {
    return this.#ns;
  }

  /** Work has come, so many nanoseconds after there was none. */
  learn(idle: number): void {
    if (idle <= this.#ns) return;
    if (idle <= MAX_NS) this.#ns = Math.min(Math.max(2 * this.#ns, FIRST_NS), MAX_NS);
    else this.#ns = this.#ns > FIRST_NS ? this.#ns / 2 : 0;
  }

  /** Another thread has waited for the core. */
  giveWay(): void {
    this.#ns = 0;
  }
}
