/**
 * The Worker of a host lcore whose ports `ring:0` and `ring:1` make and check numbered frames; all others are
 * what they say.
 *
 * @module
 */
import { HostLcore, type HostLcoreHandle } from "../../app/host/host_lcore.ts";
import { serveLcore } from "../../app/lcore/lcore.ts";
import { makePort } from "../../app/port/open_port.ts";
import { NumberedPort, readRun } from "../system/numbered_port.ts";

const { order, memory } = readRun(new URL(import.meta.url));

serveLcore<HostLcoreHandle, void>((handle, command) =>
  HostLcore.run(handle, command, (setup, resources) => {
    const numbered = /^ring:([01])$/.exec(setup.name);
    if (!numbered) return makePort(setup, resources);
    return new NumberedPort(setup.name, Number(numbered[1]), order, memory, resources);
  })
);
