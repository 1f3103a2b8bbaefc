/**
 * The Worker of a host lcore whose ports make and check numbered frames, in the place of
 * `ring:0` and `ring:1`.
 *
 * @module
 */
import { HostLcore, type HostLcoreHandle } from "../../app/host/host_lcore.ts";
import { serveLcore } from "../../app/lcore/lcore.ts";
import { makePort } from "../../app/port/open_port.ts";
import { NumberedPort, readRun } from "./numbered_port.ts";

const { order, memory } = readRun(new URL(import.meta.url));

serveLcore<HostLcoreHandle, void>((handle, command) =>
  HostLcore.run(handle, command, (setup, resources) => {
    if (setup.kind === "link") return makePort(setup, resources);
    const { name } = setup;
    const port = Number(name.slice("ring:".length));
    return new NumberedPort(name, port, order, memory, resources);
  })
);
