/**
 * The Worker of a guest lcore.
 *
 * @module
 */
import { serveLcore } from "../lcore/lcore.ts";
import { prepareFunctions } from "./function/prepare.ts";
import { GuestLcore } from "./guest_lcore.ts";

serveLcore(GuestLcore.run, prepareFunctions);
