/**
 * The pauses of a main thread that does its work at intervals, and at once when it is woken.
 *
 * A `Promise.race()` with a promise that lasts as long as the program would grow with each pause.
 */
export class WakeableTimer {
  #end = () => {};
  #isWoken = false;

  /**
   * Wait, but no longer than until {@linkcode wake}: not at all if that came since the last wait.
   */
  async wait(milliseconds: number): Promise<void> {
    if (!this.#isWoken) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.#end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#isWoken = false;
  }

  /** End the pause that is under way, or the next one. */
  wake(): void {
    this.#isWoken = true;
    this.#end();
  }
}
