/**
 * `performance.now()` as a test wants it, until the end of the test: `using clock = new
 * FakeClock()`. Each look at the clock moves it by `step` milliseconds.
 */
export class FakeClock implements Disposable {
  readonly #real = performance.now;
  now = 1000;

  constructor(step = 0) {
    performance.now = () => this.now += step;
  }

  [Symbol.dispose](): void {
    performance.now = this.#real;
  }
}
