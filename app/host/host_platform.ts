import type { LcoreThread } from "../lcore/lcore.ts";
import type { OpenedPort } from "../port/open_port.ts";
import type { PortSpec } from "../port/port_spec.ts";
import type { HostLcoreHandle } from "./host_lcore.ts";
import type { Log } from "../linux/log.ts";

/** What a host runs on: Workers and real ports in programs, one thread in tests. */
export interface HostPlatform {
  /** Opens a port, in the main thread. */
  openPort(spec: PortSpec, mtu: number): OpenedPort;
  /** Makes the thread of an lcore. */
  spawn(core: number): LcoreThread<HostLcoreHandle>;
  /** Milliseconds that have passed since some moment. */
  clock(): number;
  /** Receives what happens. */
  readonly log: Log;
}
