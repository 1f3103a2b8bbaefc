import { shim } from "../../ffi/shim.ts";
import { serveOrder } from "./run_workers.ts";

/** What is to be done to an eventfd, at once. */
export interface Order {
  readonly fd: number;
  /** Signal it, or else drain it. */
  readonly signals: boolean;
}

serveOrder(({ fd, signals }: Order) =>
  signals ? shim.shim_eventfd_signal(fd) : shim.shim_eventfd_drain(fd)
);
