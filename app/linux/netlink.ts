/**
 * Network interfaces made and configured by rtnetlink, as `ip` does it: see rtnetlink(7) and the
 * kernel's include/uapi/linux/{rtnetlink,if_link,veth}.h.
 *
 * A message is a header, a fixed part that depends on its type, and attributes:
 *
 *      0                   4         6         8
 *     +-------------------+---------+---------+-----------------------+---------------------+
 *     | length of all     | type    | flags   | sequence (u32)        | port id (u32), 0    |
 *     +-------------------+---------+---------+-----------------------+---------------------+
 *     | fixed part (struct ifinfomsg or struct ifaddrmsg)                                   |
 *     +-------------------+---------+-------------------------------------------------------+
 *     | length: u16, type: u16      | value, padded to 4 bytes; may be attributes itself    |  ...
 *     +-----------------------------+-------------------------------------------------------+
 *
 * @module
 */
import { joinBytes } from "./join_bytes.ts";
import { check, INTERFACE_ADVICE, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

const AF_INET = 2, AF_INET6 = 10, AF_NETLINK = 16, SOCK_RAW = 3, NETLINK_ROUTE = 0;
const RTM_NEWLINK = 16, RTM_DELLINK = 17, RTM_NEWADDR = 20;
const NLM_F_REQUEST_AND_ACK = 0x5, NLM_F_EXCL_AND_CREATE = 0x600, NLMSG_ERROR = 2;
const IFLA_IFNAME = 3, IFLA_LINKINFO = 18, IFLA_NET_NS_PID = 19, IFLA_AF_SPEC = 26;
const IFLA_INFO_KIND = 1, IFLA_INFO_DATA = 2, VETH_INFO_PEER = 1;
const IFLA_INET6_ADDR_GEN_MODE = 8, IN6_ADDR_GEN_MODE_NONE = 1;
const IFA_ADDRESS = 1, IFA_LOCAL = 2;
const IFF_UP = 1;
const EAFNOSUPPORT = 97;

/** Make a veth: `near` here, its other end `far` in the network namespace of process `pid`. */
export function addVeth(near: string, far: string, pid: number): void {
  const peer = [link(), attribute(IFLA_IFNAME, cString(far)), attribute(IFLA_NET_NS_PID, u32(pid))];
  ask(
    `make the veth ${near}`,
    RTM_NEWLINK,
    NLM_F_EXCL_AND_CREATE,
    link(),
    attribute(IFLA_IFNAME, cString(near)),
    attribute(
      IFLA_LINKINFO,
      attribute(IFLA_INFO_KIND, cString("veth")),
      attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, ...peer)),
    ),
  );
}

/** Remove an interface; of a veth the other end goes with it. */
export function removeLink(name: string): void {
  ask(`remove ${name}`, RTM_DELLINK, 0, link(), attribute(IFLA_IFNAME, cString(name)));
}

/** Keep the kernel from giving an interface an IPv6 address when it is set up. */
export function withoutIpv6Address(name: string): void {
  const mode = attribute(IFLA_INET6_ADDR_GEN_MODE, Uint8Array.of(IN6_ADDR_GEN_MODE_NONE));
  const specific = attribute(IFLA_AF_SPEC, attribute(AF_INET6, mode));
  try {
    const named = attribute(IFLA_IFNAME, cString(name));
    ask(`keep IPv6 from ${name}`, RTM_NEWLINK, 0, link(), named, specific);
  } catch (error) { // a kernel without IPv6 gives none anyway
    if (!(error instanceof ShimError && error.errno === EAFNOSUPPORT)) throw error;
  }
}

/** Give an interface an IPv4 address, such as 10.0.0.1, in a network of `prefix` bits. */
export function addAddress(name: string, address: string, prefix: number): void {
  const action = `give ${name} the address ${address}/${prefix}`;
  const words = new Uint32Array(6);
  check(shim.shim_interface_get(cString(name), words), action, INTERFACE_ADVICE);
  const bytes = Uint8Array.from(address.split("."), Number);
  const fixed = joinBytes([Uint8Array.of(AF_INET, prefix, 0, 0), u32(words[0])]);
  const local = [attribute(IFA_LOCAL, bytes), attribute(IFA_ADDRESS, bytes)];
  ask(action, RTM_NEWADDR, NLM_F_EXCL_AND_CREATE, fixed, ...local);
}

/** Set an interface up. */
export function setUp(name: string): void {
  check(shim.shim_interface_flags(cString(name), IFF_UP, 0), `set ${name} up`, INTERFACE_ADVICE);
}

/** Send one request to the kernel, and read its answer: success, or an error. */
function ask(action: string, type: number, flags: number, ...parts: Uint8Array[]): void {
  const body = joinBytes(parts);
  const header = new Uint8Array(16);
  const view = new DataView(header.buffer);
  view.setUint32(0, header.length + body.length, true);
  view.setUint16(4, type, true);
  view.setUint16(6, NLM_F_REQUEST_AND_ACK | flags, true);
  const message = joinBytes([header, body]);
  const answer = new Uint8Array(8192);
  const socket = check(
    shim.shim_socket_open(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE),
    action,
    INTERFACE_ADVICE,
  );
  try {
    check(shim.shim_socket_send(socket, message, message.length, NO_ADDRESS, 0), action);
    check(shim.shim_file_read(socket, answer, answer.length), action);
  } finally {
    shim.shim_fd_close(socket);
  }
  const answered = new DataView(answer.buffer);
  if (answered.getUint16(4, true) !== NLMSG_ERROR) throw new ShimError(action, EPROTO);
  check(answered.getInt32(16, true), action, INTERFACE_ADVICE);
}

const NO_ADDRESS = new Uint8Array(0);
const EPROTO = 71;

/** A `struct ifinfomsg` that names no interface: an attribute does. */
function link(): Uint8Array {
  return new Uint8Array(16);
}

function attribute(type: number, ...value: Uint8Array[]): Uint8Array {
  const bytes = joinBytes(value);
  const padded = new Uint8Array(4 + bytes.length + 3 & ~3);
  new DataView(padded.buffer).setUint16(0, 4 + bytes.length, true);
  new DataView(padded.buffer).setUint16(2, type, true);
  padded.set(bytes, 4);
  return padded;
}

function u32(value: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(value).buffer);
}
