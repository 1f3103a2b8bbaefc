import type { Table } from "./mutants.ts";

/** The lives of hosts and guests, which the simulator interleaves. */
export const LIVES: Table = {
  what: "the lives of hosts and guests",
  tests: ["sim/sim_test.ts"],
  mutations: [
    {
      what: "a host forgets to sweep up after a guest",
      file: "host/guest_supervisor.ts",
      from: "const swept = this.region.ledger.sweep(this.guest.number,",
      to: "const swept = this.region.ledger.sweep(126,",
    },
    {
      what: "a guest does not look at the epoch",
      file: "guest/attachment.ts",
      from: "memory.load(HEADER.EPOCH) !== lease.epoch;",
      to: "false;",
    },
    {
      what: "a lane frees frames that the port has taken",
      file: "host/lane.ts",
      from: "this.#dropFrom(sent, count,",
      to: "this.#dropFrom(0, count,",
    },
    {
      what: "a host sweeps before its lcores have seen the gate shut",
      file: "host/guest_supervisor.ts",
      from: "if (this.guest.gate.isAcknowledged) this.#isSilent",
      to: "if (true) this.#isSilent",
    },
    {
      what: "a lane lends more than the guest's ring has room for",
      file: "host/lane.ts",
      from: "    n = room;\n",
      to: "",
    },
    {
      what: "a host lets a guest in by rings that it has not emptied",
      file: "host/gate.ts",
      from: "if (this.isOpen) this.#resetRings();",
      to: "",
    },
  ],
};
