/**
 * The Worker of a host lcore.
 *
 * @module
 */
import { serveLcore } from "../lcore/lcore.ts";
import { makePort } from "../port/open_port.ts";
import { HostLcore, type HostLcoreHandle } from "./host_lcore.ts";

serveLcore<HostLcoreHandle, void>((handle, command, log) =>
  HostLcore.run(handle, command, makePort, log)
);
