import { CulvertError, UsageError } from "../../ffi/error.ts";
import { FRAME_MIN_BYTES } from "../memory/layout.ts";
import { receiversAt } from "../linux/packet_sockets.ts";
import {
  findInterface,
  findInterfaceAgain,
  type Interface,
  lookAgain,
  setInterfaceUp,
  withoutPeer,
} from "./interface.ts";
import type { PortResources } from "./port_resources.ts";
import { LinkPort } from "./link_port.ts";
import { NullPort } from "./null_port.ts";
import { openPackets, PacketPort, type PacketSetup } from "./packet_port.ts";
import { openPcap, PcapPort, type PcapSetup } from "./pcap_port.ts";
import type { HostPort } from "./port.ts";
import type { PortSpec } from "./port_spec.ts";
import { RingPort } from "./ring_port.ts";
import { openTaps, TapPort, type TapSetup } from "./tap_port.ts";
import { XdpPort } from "./xdp_port.ts";
import { openXdps, xdpNote, type XdpSetup } from "./xdp_setup.ts";

const NULL_FRAME_BYTES = 64;
const RING_PORT_SIZE = 1024;

/** What the log says of a packet port if another program has a packet socket on its interface. */
const SHARED =
  "another program receives all frames here, too, as a capture does, or another host: " +
  "what two hosts forward arrives twice";

/** A port without a kernel side; survives `postMessage`. */
export interface MemorySetup {
  /**
   * `null` makes frames and swallows all, `ring` receives what it is sent, `link` what is sent at
   * its other end.
   */
  readonly kind: "null" | "ring" | "link";
  /** As the command line names it: `null:64`, `ring`, `link:ab`. */
  readonly name: string;
  /** Length of the frames that a null port makes, 0 for none; the other kinds do not use it. */
  readonly frameBytes: number;
}

/** An open port, on its way to the lcore that will run it; survives `postMessage`. */
export type PortSetup = TapSetup | PacketSetup | XdpSetup | PcapSetup | MemorySetup;

/** An open port, and how to leave the interface as it was found. */
export interface OpenedPort {
  /** For {@linkcode makePort}. File descriptors in it are open, and the port closes them. */
  readonly setup: PortSetup;
  /** The same for each further queue; left out if there is one. */
  readonly others?: readonly PortSetup[];
  /** 6 bytes: the interface's MAC address, or one made up for a port that has none. */
  readonly mac: Uint8Array;
  /** How it was opened, where that is not always the same: for the log. */
  readonly note?: string;
  /** What the interface is now; undefined if it is gone. Left out by ports without one. */
  readonly look?: () => Interface | undefined;
  /** Put back what opening changed and closing does not undo. */
  restore(): void;
}

/**
 * Open the port that `spec` names.
 *
 * @param mtu MTU in bytes of a TAP that is made.
 * @throws {CulvertError} if it does not exist, is not Ethernet, is in use, or may not be opened.
 */
export function openPort(spec: PortSpec, mtu: number): OpenedPort {
  if (spec.kind === "null" || spec.kind === "ring" || spec.kind === "link") {
    return openMemoryPort(spec.kind, spec.name, mtu);
  }
  if (spec.pcap) {
    return { setup: openPcap(`pcap:${spec.name}`, spec.pcap), mac: newAddress(), restore() {} };
  }
  const before = findInterface(spec.name);
  if (spec.kind !== "tap" && !before) {
    throw new CulvertError(
      `Cannot open port ${spec.kind}:${spec.name} as there is no such interface in this network ` +
        `namespace: ${withoutPeer(spec.name) ?? "`ip link` lists them"}`,
    );
  }
  const isShared = spec.kind === "packet" && receiversAt(before!.index) > 0;
  const restore = () => {
    if (!before || before.isUp) return;
    const now = findInterfaceAgain(before.index, spec.name);
    if (now?.index === before.index && now.isUp) setInterfaceUp(now.name, false);
  };
  try {
    const setups: (TapSetup | PacketSetup | XdpSetup)[] = openOnInterface(spec, mtu);
    const [setup, ...others] = setups;
    const look = () => lookAgain(setup.index, spec.name);
    const xdps = setups.filter((one) => one.kind === "xdp");
    const note = xdps.length > 0 ? xdpNote(xdps) : isShared ? SHARED : undefined;
    const mac = look()?.mac ?? new Uint8Array(6);
    return { setup, ...others.length > 0 ? { others } : {}, mac, note, look, restore };
  } catch (error) {
    restore(); // it may have been brought up before the rest failed
    throw error;
  }
}

/** Open it: a setup for each queue. */
function openOnInterface({ kind, name, isVisible, mode, queues = 1 }: PortSpec, mtu: number) {
  if (kind === "tap") return openTaps(name, mtu, queues);
  return kind === "xdp" ? openXdps(name, mode, queues) : openPackets(name, isVisible, queues);
}

/** The setups of all queues. */
export function setupsOf({ setup, others = [] }: OpenedPort): PortSetup[] {
  return [setup, ...others];
}

/** Make the port object, in the lcore that will run it. An end of a link is still to be joined. */
export function makePort(setup: PortSetup, resources: PortResources): HostPort {
  switch (setup.kind) {
    case "tap":
      return new TapPort(setup, resources);
    case "packet":
      return new PacketPort(setup, resources);
    case "xdp":
      return new XdpPort(setup, resources);
    case "pcap":
      return new PcapPort(setup, resources);
    case "ring":
      return new RingPort(setup.name, RING_PORT_SIZE, resources);
    case "link":
      return new LinkPort(setup.name, resources);
    case "null":
      return new NullPort(setup.name, setup.frameBytes, resources);
  }
}

let made = 0;

/** A MAC address that no other port of this host has: locally administered. */
function newAddress(): Uint8Array {
  const number = made++;
  return Uint8Array.of(0x02, 0x43, 0x56, 0, number >>> 8, number);
}

function openMemoryPort(kind: MemorySetup["kind"], name: string, mtu: number): OpenedPort {
  const isDefault = kind !== "null" || name === "";
  const frameBytes = isDefault ? NULL_FRAME_BYTES : /^\d+$/.test(name) ? Number(name) : NaN;
  const most = FRAME_MIN_BYTES + mtu;
  const isLength = Number.isInteger(frameBytes) && frameBytes <= most &&
    (frameBytes >= FRAME_MIN_BYTES || frameBytes === 0);
  if (!isLength) {
    throw new UsageError(
      `Cannot use port null:${name} as that is no frame length: 0 (none), or ` +
        `${FRAME_MIN_BYTES} to ${most} bytes`,
    );
  }
  const setup: PortSetup = { kind, name: name ? `${kind}:${name}` : kind, frameBytes };
  return { setup, mac: newAddress(), restore: () => {} };
}
