import { check, INTERFACE_ADVICE } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";

const AF_PACKET = 17, SOCK_RAW = 3, SOL_PACKET = 263, ADD_MEMBERSHIP = 1, PROMISCUOUS = 1;

/**
 * Open a socket by which interfaces are promiscuous, until it is closed or the process ends. It
 * receives nothing itself.
 *
 * @throws {ShimError} without CAP_NET_RAW.
 */
export function openPromiscuity(): number {
  const fd = shim.shim_socket_open(AF_PACKET, SOCK_RAW, 0);
  return check(fd, "open a packet socket", INTERFACE_ADVICE);
}

/**
 * Make an interface promiscuous, also for the MAC addresses of others.
 *
 * @throws {ShimError} if there is none of that number.
 */
export function makePromiscuous(fd: number, interfaceIndex: number): void {
  const membership = new Uint8Array(16); // struct packet_mreq
  new Uint32Array(membership.buffer).set([interfaceIndex, PROMISCUOUS]);
  const added = shim.shim_socket_set(
    fd,
    SOL_PACKET,
    ADD_MEMBERSHIP,
    membership,
    membership.length,
  );
  check(added, `receive all frames of interface ${interfaceIndex}`);
}
