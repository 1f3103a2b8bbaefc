import { COUNTER, type Counters } from "../../app/port/counters.ts";
import { type OpenedPort, openPort } from "../../app/port/open_port.ts";
import { parsePortSpec, type PortSpec } from "../../app/port/port_spec.ts";

/** A port in memory, as `openPort()` would return it. */
export function openedPort(name: string, number = 0): OpenedPort {
  return {
    setup: { kind: "null", name, frameBytes: 64 },
    mac: Uint8Array.of(2, 0, 0, 0, 0, number),
    restore() {},
  };
}

/** The counters of a port that are not 0, by name; but for ROUNDS, which is not of frames. */
export function counted(counters: Counters): Partial<Record<keyof typeof COUNTER, number>> {
  const isCount = (at: number) => at < COUNTER.RX_BURSTS;
  return Object.fromEntries(
    Object.entries(COUNTER).filter(([, at]) => isCount(at)).map((
      [name, at],
    ) => [name, counters[at]]).filter(([, n]) => n !== 0),
  );
}

/** The name of a port that is no link is all that matters of it. */
export function specOf(name: string): PortSpec {
  return name.startsWith("link:") ? parsePortSpec(name) : { kind: "null", name };
}

/** Opens ports in memory, numbered from 0 by their MAC addresses. */
export function openTestPort(): (spec: PortSpec, mtu: number) => OpenedPort {
  let number = 0;
  return (spec, mtu) =>
    spec.kind === "link" ? openPort(spec, mtu) : openedPort(spec.name, number++);
}
