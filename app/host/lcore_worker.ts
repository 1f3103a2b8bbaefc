/**
 * The Worker of a host lcore.
 *
 * @module
 */
import { serveLcore } from "../lcore/lcore.ts";
import { makePort } from "../port/open_port.ts";
import { type HostLcoreInit, runHostLcore } from "./host_lcore.ts";

serveLcore<HostLcoreInit, void>((init, command) => runHostLcore(init, command, makePort));
