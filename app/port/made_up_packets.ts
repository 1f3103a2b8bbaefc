import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { PacketArrivals } from "./packet_ring.ts";
import type { PacketSetup } from "./packet_port.ts";

/** A socket that needs no privilege: the kernel ignores messages that begin with zeros. */
const AF_NETLINK = 16, SOCK_RAW = 3, NETLINK_ROUTE = 0;

/**
 * A packet port without an interface, for a rehearsal: frames arrive when they are told to, and
 * what it sends is gone.
 */
export class MadeUpPackets {
  /** For `makePort()`, whose port closes what is open here. */
  readonly setup: PacketSetup;
  /** Lets a frame arrive: call it only once the one before was received. */
  readonly arrivals: PacketArrivals;

  /**
   * Nothing has arrived yet.
   *
   * @throws {ShimError} if there is not enough memory, or no right to a netlink socket.
   */
  constructor(name: string) {
    const sink = () =>
      check(shim.shim_socket_open(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), "open a netlink socket");
    const [txFd, wholeFd] = [sink(), sink()];
    const rxFd = check(shim.shim_memfd(cString("rehearsal"), PacketArrivals.bytes), "make a ring");
    this.setup = { kind: "packet", name, isVisible: false, index: 0, rxFd, txFd, wholeFd };
    this.arrivals = new PacketArrivals(rxFd);
  }
}
