/** The longest spin in nanoseconds: another thread that has to be woken answers sooner. */
const SPIN_NS = 200_000;

/**
 * The share of idle time that may go into spins in which no work came, and how much may be saved
 * up.
 */
const SHARE = 0.02, KEPT_NS = 5 * SPIN_NS;

/**
 * How long an lcore that finds nothing spins before it sleeps: `SPIN_NS`, as long as spins in which
 * no work comes take less than a fiftieth of its idle time. After another thread has waited for the
 * core it does not spin for a while. That while is short if work comes soon again and again, as a
 * spin would have found it.
 *
 * KVM's halt polling (Linux, Documentation/virt/kvm/halt-polling.rst) doubles a spin that was just
 * too short, and halves it after a long pause. Where a packet comes now and then and its answer
 * soon, the one undoes what the other has learned.
 */
export class Spin {
  /** What may still be spent on spins, in nanoseconds. */
  #leftNs = KEPT_NS;

  /** How long the next spin is to be. */
  get nanoseconds(): number {
    return this.#leftNs >= SPIN_NS ? SPIN_NS : 0;
  }

  /** Work has come, `idle` nanoseconds after there was none. */
  learn(idle: number): void {
    const isLong = idle > SPIN_NS;
    if (isLong) this.#leftNs -= this.nanoseconds;
    this.#leftNs = Math.min(this.#leftNs + (isLong ? idle * SHARE : idle), KEPT_NS);
  }

  /** Another thread has waited for the core. */
  giveWay(): void {
    this.#leftNs = 0;
  }
}
