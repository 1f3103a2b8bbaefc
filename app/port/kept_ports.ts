import { shim } from "../../ffi/shim.ts";
import { copyDescriptor } from "../linux/files.ts";
import { type OpenedPort, openPort, type PortSetup, setupsOf } from "./open_port.ts";
import { type PortSpec, portText } from "./port_spec.ts";
import { tapIndex } from "./tap_port.ts";

/**
 * Ports that stay open while one host after another has them: frames that come meanwhile wait in
 * the kernel, and a capture goes on where it was. Each host is lent descriptors of its own, which
 * its lcores close.
 */
export class KeptPorts {
  readonly #kept = new Map<string, OpenedPort>();

  /** None yet. `open` opens one. */
  constructor(private readonly open: typeof openPort = openPort) {}

  /**
   * Open ports that are not open yet, before a host is stopped for them.
   *
   * @throws {CulvertError} if one cannot be opened.
   */
  prepare(specs: readonly PortSpec[], mtu: number): void {
    for (const spec of specs) this.#keep(spec, mtu);
  }

  /**
   * Lend a port; it is opened if it is not kept.
   *
   * @throws {CulvertError} if it cannot be opened.
   */
  readonly lend = (spec: PortSpec, mtu: number): OpenedPort => {
    const kept = this.#keep(spec, mtu);
    if (!isKept(kept)) return kept;
    const mac = kept.look?.()?.mac ?? kept.mac;
    const others = kept.others?.map(copyOf);
    return { ...kept, mac, setup: copyOf(kept.setup), others, restore: () => {} };
  };

  /**
   * Close all ports but these, and leave their interfaces as they were found.
   *
   * @throws {CulvertError} if an interface does not let us; all are closed.
   */
  keepOnly(specs: readonly PortSpec[]): void {
    const wanted = new Set(specs.map(portText));
    let failure: unknown;
    for (const [key, port] of this.#kept) {
      if (wanted.has(key)) continue;
      this.#kept.delete(key);
      closeLent(port);
      try {
        port.restore();
      } catch (error) {
        failure ??= error;
      }
    }
    if (failure !== undefined) throw failure;
  }

  /**
   * The port of a spec, opened if it is not kept; it is kept from now on if the next host can use
   * it.
   */
  #keep(spec: PortSpec, mtu: number): OpenedPort {
    const key = portText(spec);
    const port = this.#kept.get(key) ?? this.open(spec, mtu);
    if (isKept(port)) this.#kept.set(key, port);
    return port;
  }
}

/** Whether a port is kept: one that has an interface, or files. */
function isKept({ look, setup }: OpenedPort): boolean {
  return look !== undefined || setup.kind === "pcap";
}

/** Close the descriptors of a port that no lcore has taken. */
export function closeLent(port: OpenedPort): void {
  for (const fd of setupsOf(port).flatMap(descriptorsOf)) shim.shim_fd_close(fd);
}

function descriptorsOf(setup: PortSetup): number[] {
  if (setup.kind === "tap") return [setup.fd];
  if (setup.kind === "pcap") return setup.fd < 0 ? [] : [setup.fd];
  return setup.kind === "packet" ? [setup.rxFd, setup.txFd, setup.wholeFd] : [];
}

/** The same port by descriptors of its own, on the interface that is open now. */
function copyOf(setup: PortSetup): PortSetup {
  const kept = descriptorsOf(setup);
  if (setup.kind === "tap") {
    const index = tapIndex(setup.fd) ?? setup.index;
    return { ...setup, index, fd: copyDescriptor(setup.fd), kept };
  }
  if (setup.kind === "pcap") {
    return setup.fd < 0 ? setup : { ...setup, fd: copyDescriptor(setup.fd) };
  }
  if (setup.kind !== "packet") return setup;
  const bound = shim.shim_packet_index(setup.rxFd);
  const [rxFd, txFd, wholeFd] = kept.map(copyDescriptor);
  return { ...setup, index: bound > 0 ? bound : setup.index, rxFd, txFd, wholeFd, kept };
}
