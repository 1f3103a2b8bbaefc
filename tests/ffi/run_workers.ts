import { shim } from "../../ffi/shim.ts";

/** Tells a worker that all of them are there: word 0 of memory that they share. */
export type StartLine = Int32Array<SharedArrayBuffer>;

/** A worker that has not answered by now never will. */
const PATIENCE_MS = 60_000;

/**
 * Run the module at `url` in one Worker per order. Each gets its order, answers once by
 * `postMessage`, and has then returned from its loop; loops end by count or by clock, for nothing
 * stops a busy one.
 *
 * @returns the answers, in the order of the orders.
 */
export async function runWorkers<Order, Answer>(url: URL, orders: Order[]): Promise<Answer[]> {
  const workers = orders.map(() => new Worker(url, { type: "module" }));
  const timers: ReturnType<typeof setTimeout>[] = [];
  try {
    return await Promise.all(workers.map((worker, i) =>
      new Promise<Answer>((resolve, reject) => {
        timers.push(setTimeout(() => reject(new Error(`worker ${i} hangs`)), PATIENCE_MS));
        worker.onmessage = ({ data }: MessageEvent<Answer>) => resolve(data);
        worker.onerror = (event) => {
          event.preventDefault();
          reject(new Error(`worker ${i} failed: ${event.message}`));
        };
        worker.postMessage(orders[i]);
      })
    ));
  } finally {
    for (const timer of timers) clearTimeout(timer);
    for (const worker of workers) worker.terminate();
  }
}

/** Worker: carry out the one order that comes. */
export function serveOrder<Order, Answer>(carryOut: (order: Order) => Answer): void {
  const scope = self as unknown as {
    onmessage: (event: MessageEvent<Order>) => void;
    postMessage(answer: Answer): void;
  };
  scope.onmessage = ({ data }) => scope.postMessage(carryOut(data));
}

/** Worker: wait until `workers` of them have come here. Gives up after ten seconds. */
export function meetAt(line: StartLine, workers: number): void {
  Atomics.add(line, 0, 1);
  Atomics.notify(line, 0);
  for (let tries = 0, here = 0; (here = Atomics.load(line, 0)) < workers; tries++) {
    if (tries === workers * 10) throw new Error(`only ${here} of ${workers} workers came`);
    Atomics.wait(line, 0, here, 1000);
  }
}

/**
 * Worker: whether it may end. It may after so many milliseconds, but on a busy machine not before
 * it has done more than `enough`, for which it has ten seconds.
 */
export function timeUp(milliseconds: number, enough: number): (done: number) => boolean {
  const end = shim.shim_clock() + milliseconds * 1e6;
  return (done) => {
    const late = shim.shim_clock() - end;
    return late > 0 && (done > enough || late > 10e9);
  };
}
