import { UsageError } from "../../ffi/error.ts";
import type { XdpMode } from "../linux/bpf.ts";
import { parsePcapOptions, type PcapOptions } from "./pcap_options.ts";

/** The kinds of port that `--port` takes. */
export const PORT_KINDS = ["tap", "packet", "xdp", "null", "ring", "link", "pcap"] as const;

/** One of {@linkcode PORT_KINDS}. */
export type PortKind = typeof PORT_KINDS[number];

/** A port as the command line names it. */
export interface PortSpec {
  /** What stands before the colon. */
  readonly kind: PortKind;
  /**
   * The name of the interface, ring or link; the frame length of a null port; all of a pcap port.
   */
  readonly name: string;
  /** Of a packet port: whether captures on this machine are to see what it sends. */
  readonly isVisible?: boolean;
  /** Of an XDP port: where its program is to run; left out for the driver if it can. */
  readonly mode?: XdpMode;
  /** How many queues it has, each served by an lcore of its own: 2 or more; left out for one. */
  readonly queues?: number;
  /** Of a pcap port: its files, and how they are replayed. */
  readonly pcap?: PcapOptions;
}

const VISIBLE = ",visible";

/** Most queues of a port: a guest has as many channels. */
const QUEUES_MAX = 32;

/** The kinds whose name is an interface's. */
const INTERFACE_KINDS: readonly PortKind[] = ["tap", "packet", "xdp"];

/** Whether a port is on an interface, which is called as the port is. */
export function isOnInterface({ kind }: { readonly kind: PortKind }): boolean {
  return INTERFACE_KINDS.includes(kind);
}

/**
 * Read `tap:NAME`, `packet:IFACE[,visible]`, `xdp:IFACE[,native|,generic]`, each of them also with
 * `,queues=N`, `null[:BYTES]`, `ring[:NAME]`, `link:NAME` or `pcap:IN,loop,rate=N,w=OUT`.
 *
 * @throws {UsageError} if it is none of these.
 */
export function parsePortSpec(text: string): PortSpec {
  const [option, number] = /,queues=([^,]*)/.exec(text) ?? [];
  if (option === undefined) return parseOneQueue(text);
  const spec = parseOneQueue(text.replace(option, ""));
  if (!isOnInterface(spec)) {
    throw new UsageError(
      `Cannot use port "${text}" as ${spec.kind} ports are served by one lcore: leave out ` +
        `"${option}", which tap:, packet: and xdp: take`,
    );
  }
  const queues = Number(number);
  if (!/^[1-9]\d*$/.test(number) || queues > QUEUES_MAX) {
    throw new UsageError(
      `Cannot use port "${text}" as "${number}" is no number of queues: 1 to ${QUEUES_MAX}`,
    );
  }
  return queues === 1 ? spec : { ...spec, queues };
}

function parseOneQueue(text: string): PortSpec {
  const colon = text.indexOf(":");
  const kind = colon < 0 ? text : text.slice(0, colon);
  const isVisible = kind === "packet" && text.endsWith(VISIBLE);
  const name = colon < 0 ? "" : text.slice(colon + 1, isVisible ? -VISIBLE.length : undefined);
  const found = PORT_KINDS.find((known) => known === kind);
  if (found === undefined) {
    throw new UsageError(
      `Cannot use port "${text}" as "${kind}" is no kind of port: tap:NAME, packet:IFACE, ` +
        `xdp:IFACE, null[:BYTES], ring[:NAME], link:NAME and pcap:FILE are`,
    );
  }
  if (found === "xdp") return xdpSpec(text, name);
  if (found === "pcap") return { kind: found, name, pcap: parsePcapOptions(name) };
  if (name === "" && isOnInterface({ kind: found })) {
    throw new UsageError(`Cannot use port "${text}" as it names no interface: write ${kind}:NAME`);
  }
  if (name === "" && found === "link") {
    throw new UsageError(`Cannot use port "${text}" as it names no link: write link:NAME`);
  }
  return isVisible ? { kind: found, name, isVisible } : { kind: found, name };
}

function xdpSpec(text: string, words: string): PortSpec {
  const [name, mode, ...more] = words.split(",");
  if (name === "") {
    throw new UsageError(`Cannot use port "${text}" as it names no interface: write xdp:NAME`);
  }
  if (mode === undefined) return { kind: "xdp", name };
  if ((mode === "native" || mode === "generic") && more.length === 0) {
    return { kind: "xdp", name, mode };
  }
  throw new UsageError(
    `Cannot use port "${text}" as "${words.slice(name.length + 1)}" is no mode of XDP: write ` +
      `xdp:${name}, xdp:${name},native or xdp:${name},generic`,
  );
}

/** A port as {@linkcode parsePortSpec} reads it. */
export function portText({ kind, name, isVisible, mode, queues }: PortSpec): string {
  const number = queues ? `,queues=${queues}` : "";
  const words = `${name}${isVisible ? VISIBLE : ""}${mode ? `,${mode}` : ""}${number}`;
  return words === "" ? kind : `${kind}:${words}`;
}
