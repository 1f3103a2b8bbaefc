import { CulvertError } from "../../ffi/error.ts";
import type { Host } from "./host.ts";
import type { HostOptions } from "./host_options.ts";

/** New options for a host, and the client that waits until they hold. */
export interface Change {
  /** The options that replace the present ones. */
  readonly options: HostOptions;
  /** Called when frames flow again. */
  done(): void;
  /** Called with the reason if the host goes on as before. */
  failed(error: unknown): void;
}

/**
 * Changes the options of a host that runs. Each change makes a new host in the same process: ports,
 * threads and regions stay, frames wait in the kernel meanwhile, guests attach again.
 */
export class HostControl {
  /** The host that forwards; undefined before the first one does. */
  host?: Host;
  #options?: HostOptions;
  #change?: Change;
  #isBegun = false;
  #isOver = false;
  #wake = () => {};

  /** Let `host` be the one that forwards, as `options` say; `wake` makes it look for changes. */
  begin(host: Host, options: HostOptions, wake: () => void): void {
    this.host = host;
    this.#options = options;
    this.#wake = wake;
  }

  /**
   * The host's present options.
   *
   * @throws {CulvertError} if it does not forward yet.
   */
  get options(): HostOptions {
    if (this.#options) return this.#options;
    throw new CulvertError("Cannot tell what the host does as it is starting: try again");
  }

  /**
   * Have the host run with other options.
   *
   * @returns the milliseconds for which frames have waited, until guests were back.
   * @throws {CulvertError} if that cannot be done, and the host goes on as before; or if another
   * change is under way.
   */
  change(options: HostOptions): Promise<number> {
    if (this.#isOver) throw new CulvertError("Cannot change the host as it ends");
    if (this.#change) {
      throw new CulvertError("Cannot change the host as another change is under way: try again");
    }
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    const since = performance.now();
    const end = () => this.#change = undefined;
    this.#isBegun = false;
    this.#change = {
      options,
      done: () => resolve(performance.now() - since),
      failed: reject,
    };
    this.#wake();
    return promise.finally(end);
  }

  /** The host ends: nothing changes it any more. */
  end(): void {
    this.#isOver = true;
    this.#change?.failed(new CulvertError("Cannot change the host as it ends"));
  }

  /** The change that waits for the host to stop. */
  get wanted(): Change | undefined {
    return this.#isBegun ? undefined : this.#change;
  }

  /** The host has stopped for the change that was wanted. */
  take(): Change | undefined {
    const change = this.wanted;
    this.#isBegun = change !== undefined;
    return change;
  }
}
