import type { PlacedPort } from "../../app/host/lay_out.ts";
import { COUNTER, type Counters } from "../../app/port/counters.ts";
import { type OpenedPort, openPort, type PortSetup } from "../../app/port/open_port.ts";
import { parsePortSpec, type PortSpec } from "../../app/port/port_spec.ts";

/** A port in memory, as `openPort()` would return it. */
export function openedPort(name: string, number = 0): OpenedPort {
  return {
    setup: { kind: "null", name, frameBytes: 64 },
    mac: Uint8Array.of(2, 0, 0, 0, 0, number),
    restore() {},
  };
}

/** Ports of one guest, each of one queue. */
export function placed(ports: readonly OpenedPort[]): PlacedPort[] {
  return ports.map((opened, port) => ({ opened, port, queue: 0, queues: 1 }));
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

/** The name of a port that is no link is all that matters of it: `p`, with two queues `p*2`. */
export function specOf(text: string): PortSpec {
  if (text.startsWith("link:")) return parsePortSpec(text);
  const [name, queues] = text.split("*");
  return { kind: "null", name, ...queues && { queues: Number(queues) } };
}

/** Opens ports in memory, numbered from 0 by their MAC addresses. */
export function openTestPort(): (spec: PortSpec, mtu: number) => OpenedPort {
  let number = 0;
  return (spec, mtu) => {
    if (spec.kind === "link") return openPort(spec, mtu);
    const port = openedPort(spec.name, number++);
    const { queues = 1 } = spec;
    // What a port is told of its queue is its own: here it is in the length of its frames.
    const others = Array.from({ length: queues - 1 }, (_, i): PortSetup => {
      return { kind: "null", name: spec.name, frameBytes: 65 + i };
    });
    return { ...port, others };
  };
}
