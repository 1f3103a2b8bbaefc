/**
 * The Worker of a host lcore.
 *
 * @module
 */
import { serveLcore } from "../lcore/lcore.ts";
import { makePort } from "../port/open_port.ts";
import { closeBursts } from "../ring/burst.ts";
import { HostLcore, type HostLcoreHandle } from "./host_lcore.ts";

serveLcore<HostLcoreHandle, void>((handle, command, log) => {
  try {
    HostLcore.run(handle, command, makePort, log);
  } finally {
    closeBursts(); // the thread may run another loop, with bursts of its own
  }
});
