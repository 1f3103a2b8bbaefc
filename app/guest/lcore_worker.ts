/**
 * The Worker of a guest lcore.
 *
 * @module
 */
import { serveLcore } from "../lcore/lcore.ts";
import { loadInLcore } from "./function/load.ts";
import { GuestLcore } from "./guest_lcore.ts";

serveLcore(GuestLcore.run, loadInLcore);
