import { CulvertError } from "../ffi/error.ts";
import { within } from "./waiting.ts";

/** A Worker that answers each order with one message. */
export class AskedWorker<Order, Answer> implements Disposable {
  readonly #worker: Worker;

  /** Begin to load the module. */
  constructor(url: URL) {
    this.#worker = new Worker(url, { type: "module" });
  }

  /**
   * Give an order and wait for its answer.
   *
   * @throws {CulvertError} if the Worker fails, or does not answer for 20 s.
   */
  async ask(order: Order): Promise<Answer> {
    const answer = new Promise<Answer>((resolve, reject) => {
      this.#worker.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data);
      this.#worker.onerror = (event) => {
        event.preventDefault();
        reject(new CulvertError(`Cannot go on with the bench: ${event.message}`));
      };
      this.#worker.postMessage(order);
    });
    return await within("wait for a Worker of the bench", answer);
  }

  /** End it; a loop that does not return ends with the process. */
  [Symbol.dispose](): void {
    this.#worker.terminate();
  }
}
