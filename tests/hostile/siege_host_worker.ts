/**
 * The Worker of a host lcore under siege: `ring:0` and `ring:1` make and check numbered frames, all other
 * ports are witnesses.
 *
 * @module
 */
import { HostLcore, type HostLcoreHandle } from "../../app/host/host_lcore.ts";
import { serveLcore } from "../../app/lcore/lcore.ts";
import type { Mempool } from "../../app/mempool/mempool.ts";
import { NumberedPort, readRun } from "../system/numbered_port.ts";
import { Findings, type Makers, WITNESSES, WitnessPort } from "./witness_port.ts";

const url = new URL(import.meta.url);
const { order, memory } = readRun(url);
const findings = Findings.attach(Number(url.searchParams.get("findings")));

serveLcore<HostLcoreHandle, void>((handle, command) => {
  const makers = new Map<Mempool, Makers>();
  HostLcore.run(handle, command, ({ name }, resources) => {
    const numbered = /^ring:([01])$/.exec(name);
    if (numbered) return new NumberedPort(name, Number(numbered[1]), order, memory, resources);
    const { mempool } = resources;
    const its = makers.get(mempool) ?? new Int8Array(mempool.handle.total).fill(-1);
    makers.set(mempool, its);
    return new WitnessPort(name, WITNESSES.indexOf(name), its, findings, resources);
  });
});
