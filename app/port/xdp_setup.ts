import { type Advice, check, CulvertError, INTERFACE_ADVICE, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { createSocketMap, linkProgram, loadRedirect, type XdpMode } from "../linux/bpf.ts";
import { copyDescriptor } from "../linux/files.ts";
import { openXdpSocket } from "../linux/xdp_socket.ts";
import { findInterface, setInterfaceUp } from "./interface.ts";
import { newQueues, type QueueSetup } from "./port_queue.ts";
import { makePromiscuous, openPromiscuity } from "./promiscuous.ts";

/** Most receive queues of an interface. */
const QUEUES_MAX = 64;

const EOPNOTSUPP = 95;

/** An open AF_XDP port; survives `postMessage`. Its sockets are bound by the port itself. */
export interface XdpSetup {
  /** Tells it from other setups: {@linkcode XdpPort} takes it. */
  readonly kind: "xdp";
  /** As the command line names it: `eth1` for `xdp:eth1`. */
  readonly name: string;
  /** The number of the interface. */
  readonly index: number;
  /** Where the program runs; undefined for the driver, or else in front of the stack. */
  readonly wanted?: XdpMode;
  /** Where it runs in fact. */
  readonly mode: XdpMode;
  /** The map of sockets, by queue. */
  readonly map: number;
  /** The program that hands frames to them. */
  readonly program: number;
  /** The link by which the program is attached to the interface. */
  readonly link: number;
  /** The socket by which the interface is promiscuous. */
  readonly promiscuity: number;
  /** A socket for each of the interface's receive queues that this queue of the port serves. */
  readonly sockets: readonly number[];
  /** If the port has several queues; the first one alone has program, link and promiscuity. */
  readonly queue?: QueueSetup;
}

const LINK_ADVICE: Advice = {
  EBUSY: "another XDP program is there (ip link show IFACE); end who attached it, or " +
    "`ip link set IFACE xdp off`",
  ERANGE: "the MTU is too large, of it or of its peer: ip link set IFACE mtu 3500, or " +
    "xdp:IFACE,generic",
  ENOSPC: "it has fewer receive queues than its peer sends by: ethtool -L IFACE rx N, or " +
    "ethtool -L PEER tx 1",
  EOPNOTSUPP: "its driver has no XDP: use xdp:IFACE, or xdp:IFACE,generic",
  EINVAL: "its driver cannot do that as it is: ethtool -K IFACE lro off, or xdp:IFACE,generic",
  EPERM: "run as root, or grant CAP_BPF and CAP_NET_ADMIN",
};

/** What is to be closed if something fails. */
class Opened {
  readonly #fds: number[] = [];

  add(fd: number): number {
    this.#fds.push(fd);
    return fd;
  }

  close(): void {
    for (const fd of this.#fds) shim.shim_fd_close(fd);
  }
}

/**
 * Attach an XDP program to an interface, which is brought up and promiscuous meanwhile, and open a
 * socket for each of its receive queues. Until they are bound, frames go where they went before.
 *
 * @param wanted Where the program is to run; undefined for the driver if it can, or else in front
 * of the stack.
 * @param queues Of the port: the interface's are dealt to them in turn.
 * @throws {CulvertError} without CAP_NET_RAW, CAP_NET_ADMIN and CAP_BPF, if another program is
 * there, or the interface has fewer queues.
 */
export function openXdps(name: string, wanted: XdpMode | undefined, queues: number): XdpSetup[] {
  const found = findInterface(name)!;
  if (!found.isUp) setInterfaceUp(name, true);
  const opened = new Opened();
  try {
    const map = opened.add(createSocketMap(QUEUES_MAX));
    const program = opened.add(loadRedirect(map));
    const promiscuity = opened.add(openPromiscuity());
    const setup = { kind: "xdp", name, wanted, map, program, promiscuity } as const;
    if (queues === 1) return [{ ...setup, ...attach(setup, name, found.index, opened) }];
    return newQueues(queues, found.index).map((queue) => {
      const own = queue.number === 0
        ? { ...setup, queue }
        : { ...setup, queue, map: opened.add(copyDescriptor(map)), program: -1, promiscuity: -1 };
      return { ...own, ...attach(own, name, found.index, opened) };
    });
  } catch (error) {
    opened.close();
    throw error;
  }
}

/**
 * Attach a port's program and sockets to the interface that came in the place of the first.
 *
 * @throws {ShimError} if that cannot be done.
 */
export function attachAgain(setup: XdpSetup, name: string, index: number): XdpSetup {
  const opened = new Opened();
  try {
    return { ...setup, ...attach(setup, name, index, opened) };
  } catch (error) {
    opened.close();
    throw error;
  }
}

function attach(
  { program, promiscuity, wanted, queue }: Pick<
    XdpSetup,
    "program" | "promiscuity" | "wanted" | "queue"
  >,
  name: string,
  index: number,
  opened: Opened,
): Pick<XdpSetup, "index" | "mode" | "link" | "sockets"> {
  const { number, count } = queue ?? { number: 0, count: 1 };
  const receive = countQueues(name, count);
  const own = Math.ceil((receive - number) / count);
  const sockets = Array.from({ length: own }, () => opened.add(openXdpSocket(name)));
  if (number > 0) return { index, mode: wanted ?? "native", link: -1, sockets };
  const { mode, link } = holdProgram(program, index, wanted, name);
  opened.add(link);
  makePromiscuous(promiscuity, index);
  return { index, mode, link, sockets };
}

/** The receive queues of an interface that are used: `wanted` at least, and as many to send by. */
function countQueues(name: string, wanted: number): number {
  const found = check(
    shim.shim_interface_queues(cString(name)),
    `count the queues of ${name}`,
    INTERFACE_ADVICE,
  );
  const [receive, send] = [found & 0xffff, found >>> 16];
  if (Math.min(receive, send, QUEUES_MAX) >= wanted || wanted === 1) {
    return Math.min(receive, QUEUES_MAX);
  }
  throw new CulvertError(
    `Cannot open ${wanted} queues of ${name} as it has ${receive} to receive and ${send} to send ` +
      `by: ethtool -L ${name} rx ${wanted} tx ${wanted}, or combined ${wanted}; a veth is made ` +
      `with so many: ip link add numrxqueues ${wanted} numtxqueues ${wanted}`,
  );
}

/** Attach the program where it is wanted, or else where the driver can have it. */
function holdProgram(
  program: number,
  index: number,
  wanted: XdpMode | undefined,
  name: string,
): { mode: XdpMode; link: number } {
  let link = linkProgram(program, index, wanted ?? "native");
  if (link >= 0) return { mode: wanted ?? "native", link };
  if (wanted === undefined && link === -EOPNOTSUPP) {
    link = linkProgram(program, index, "generic");
    if (link >= 0) return { mode: "generic", link };
  }
  throw new ShimError(`attach an XDP program to ${name}`, -link, LINK_ADVICE);
}

/** How a port was opened, in words; `all`: for each of its queues. */
export function xdpNote(all: readonly XdpSetup[]): string {
  const [{ name, mode }] = all;
  const length = all.reduce((sum, { sockets }) => sum + sockets.length, 0);
  const queues = `${length} queue${length === 1 ? "" : "s"}`;
  const superFrames = `; super-frames are dropped: ethtool -K ${name} gro off, and at senders ` +
    `here ethtool -K IFACE tso off gso off`;
  return `${mode} XDP, ${queues}; VLAN tags are kept if senders here have them in their frames: ` +
    `ethtool -K IFACE txvlan off${mode === "generic" ? superFrames : ""}`;
}
