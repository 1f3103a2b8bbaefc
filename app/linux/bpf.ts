/**
 * The little of bpf(2) that an AF_XDP port needs: a map of sockets, a program of five instructions
 * that hands each frame to the socket of its queue, and a link that attaches it to an interface.
 * See the kernel's include/uapi/linux/bpf.h and Documentation/bpf/map_xskmap.rst.
 *
 * Maps, programs and links are file descriptors: the kernel removes what a process has made when
 * the process ends, in whatever way. So a link attaches the program, not netlink: after a kill the
 * interface works as before.
 *
 * @module
 */
import { type Advice, check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

const BPF = { MAP_CREATE: 0, MAP_UPDATE: 2, PROGRAM_LOAD: 5, LINK_CREATE: 28 } as const;
const MAP_TYPE_XSKMAP = 17, PROGRAM_TYPE_XDP = 6, ATTACH_TYPE_XDP = 37;
const XDP_FLAG: Readonly<Record<XdpMode, number>> = { generic: 1 << 1, native: 1 << 2 };

/** The verdict on a frame whose queue has no socket: it goes to the kernel's own stack. */
const XDP_PASS = 2;

/** Of `struct xdp_md`: the number of the receive queue, in bytes. */
const RX_QUEUE_INDEX = 16;

/** The helper `bpf_redirect_map()`. */
const REDIRECT_MAP = 51;

/** Where in `union bpf_attr` addresses go, in bytes. */
const PROGRAM = { INSTRUCTIONS: 8, LICENSE: 16 } as const, ELEMENT = { KEY: 8, VALUE: 16 } as const;

const ADVICE: Advice = {
  EPERM: "run as root, or grant CAP_BPF and CAP_NET_ADMIN",
  EINVAL: "this kernel has no AF_XDP; use packet:IFACE",
  ENOSYS: "this kernel has no bpf(2); use packet:IFACE",
};

/**
 * Where an XDP program runs: in the driver (native), or, with any driver, in front of the stack.
 */
export type XdpMode = "native" | "generic";

/**
 * Make a map of AF_XDP sockets, by receive queue.
 *
 * @returns its file descriptor.
 * @throws {ShimError} without CAP_BPF.
 */
export function createSocketMap(queues: number): number {
  const attributes = Uint32Array.of(MAP_TYPE_XSKMAP, 4, 4, queues);
  return check(bpf(BPF.MAP_CREATE, attributes), "make a map of AF_XDP sockets", ADVICE);
}

/**
 * Load the program that hands each frame to the socket of its queue in the map `map`:
 * `return bpf_redirect_map(map, context->rx_queue_index, XDP_PASS)`.
 *
 * @returns its file descriptor.
 * @throws {ShimError} without CAP_BPF and CAP_NET_ADMIN.
 */
export function loadRedirect(map: number): number {
  const instructions = new Uint8Array([
    instruction(0x61, 0x12, RX_QUEUE_INDEX, 0), // r2 = *(u32 *)(r1 + RX_QUEUE_INDEX)
    [...instruction(0x18, 0x11, 0, map), ...instruction(0, 0, 0, 0)], // r1 = map, 64 bits
    instruction(0xb7, 0x03, 0, XDP_PASS), // r3 = XDP_PASS
    instruction(0x85, 0x00, 0, REDIRECT_MAP), // r0 = bpf_redirect_map(r1, r2, r3)
    instruction(0x95, 0x00, 0, 0), // return r0
  ].flat());
  const attributes = Uint32Array.of(PROGRAM_TYPE_XDP, instructions.length / 8);
  const loaded = bpf(
    BPF.PROGRAM_LOAD,
    attributes,
    instructions,
    PROGRAM.INSTRUCTIONS,
    cString("Dual MIT/GPL"),
    PROGRAM.LICENSE,
  );
  return check(loaded, "load an XDP program", ADVICE);
}

/** `struct bpf_insn`: operation, registers (source, destination), offset, immediate value. */
function instruction(code: number, registers: number, offset: number, value: number): number[] {
  return [
    code,
    registers,
    offset & 0xff,
    offset >> 8,
    ...new Uint8Array(Int32Array.of(value).buffer),
  ];
}

/**
 * Attach a program to an interface, until the link is closed or the process ends.
 *
 * @returns the link's file descriptor, or -errno.
 */
export function linkProgram(program: number, interfaceIndex: number, mode: XdpMode): number {
  const attributes = Uint32Array.of(program, interfaceIndex, ATTACH_TYPE_XDP, XDP_FLAG[mode]);
  return bpf(BPF.LINK_CREATE, attributes);
}

/**
 * Put the AF_XDP socket `fd` into a map, for the receive queue `queue`.
 *
 * @throws {ShimError} if the map has no such queue.
 */
export function setSocket(map: number, queue: number, fd: number): void {
  const [key, value] = [queue, fd].map((word) => new Uint8Array(Uint32Array.of(word).buffer));
  const attributes = Uint32Array.of(map, 0);
  const set = bpf(BPF.MAP_UPDATE, attributes, key, ELEMENT.KEY, value, ELEMENT.VALUE);
  check(set, `receive from queue ${queue}`);
}

function bpf(
  command: number,
  attributes: Uint32Array<ArrayBuffer>,
  first: Uint8Array<ArrayBuffer> | null = null,
  firstAt = 0,
  second: Uint8Array<ArrayBuffer> | null = null,
  secondAt = 0,
): number {
  const bytes = new Uint8Array(attributes.buffer);
  return shim.shim_bpf(command, bytes, bytes.length, first, firstAt, second, secondAt);
}
