/**
 * The Worker of a {@linkcode CheckedHost}'s lcore: the ports `ring:0` and `ring:1` exchange checked
 * frames; a witness port is in the place of `ring:w0` and so on; other ports are what they say.
 *
 * @module
 */
import { HostLcore, type HostLcoreHandle } from "../../app/host/host_lcore.ts";
import { serveLcore } from "../../app/lcore/lcore.ts";
import type { Mempool } from "../../app/mempool/mempool.ts";
import { makePort } from "../../app/port/open_port.ts";
import { CheckedPort, readExchange } from "./checked_port.ts";
import { Findings, type Makers, WitnessPort } from "./witness_port.ts";

const url = new URL(import.meta.url);
const { order, memory } = readExchange(url);
const findings = Findings.attach(Number(url.searchParams.get("findings")));

serveLcore<HostLcoreHandle, void>((handle, command, log) => {
  const makers = new Map<Mempool, Makers>();
  HostLcore.run(handle, command, (setup, resources) => {
    const [, witness, number] = /^ring:(w?)(\d)$/.exec(setup.name) ?? [];
    if (number === undefined) return makePort(setup, resources);
    if (witness === "") {
      return new CheckedPort(setup.name, Number(number), order, memory, resources);
    }
    const mempool = resources.mempool as Mempool; // this port is no mirror's
    const { u8, stride } = resources.mbufs;
    const its = makers.get(mempool) ?? new Int8Array(Math.ceil(u8.length / stride)).fill(-1);
    makers.set(mempool, its);
    return new WitnessPort(setup.name, Number(number), its, findings, resources);
  }, log);
});
