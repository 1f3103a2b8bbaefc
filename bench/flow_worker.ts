/**
 * The host lcore of the round-trip benchmark: the host's own loop, with a generator for a port.
 *
 * @module
 */
import { HostLcore, type HostLcoreHandle } from "../app/host/host_lcore.ts";
import { serveLcore } from "../app/lcore/lcore.ts";
import { FlowPort } from "./flow_port.ts";

serveLcore<HostLcoreHandle, void>((handle, command, log) =>
  HostLcore.run(handle, command, (setup, resources) => {
    if (setup.kind !== "null") throw new Error(`a null port is wanted, not ${setup.kind}`);
    return new FlowPort(setup.frameBytes, resources);
  }, log)
);
