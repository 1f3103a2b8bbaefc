/**
 * The Worker of a host lcore.
 *
 * @module
 */
import type { IdleMode } from "../lcore/idle.ts";
import { serveLcore } from "../lcore/lcore.ts";
import { makePort } from "../port/open_port.ts";
import { closeBursts } from "../ring/burst.ts";
import { HostLcore, type HostLcoreHandle } from "./host_lcore.ts";
import { rehearse } from "./rehearsal.ts";

serveLcore<HostLcoreHandle, void, IdleMode>((handle, command, log) => {
  try {
    HostLcore.run(handle, command, makePort, log);
  } finally {
    closeBursts(); // the thread may run another loop, with bursts of its own
  }
}, (idle) => Promise.resolve({ prepared: undefined, report: rehearse(idle) }));
