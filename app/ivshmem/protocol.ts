/**
 * QEMU's ivshmem client-server protocol, version 0 (docs/specs/ivshmem-spec.rst): only the server
 * speaks, in little-endian 64-bit numbers, each with one descriptor at most.
 *
 * ```text
 *  0               version
 *  own id
 *  -1        + fd  the memory
 *  other id  + fd  a vector of a peer that is there: once for each, vector 0 first
 *  own id    + fd  an own vector: once for each
 *  then, for ever:
 *  id        + fd  a vector of a peer that joins: once for each
 *  id              that peer has left
 * ```
 *
 * @module
 */
import { ShimError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";

/** The version that both sides speak. */
export const PROTOCOL_VERSION = 0;

/** The value of the message with which the memory comes. */
export const MEMORY: number = -1;

/** No descriptor. */
export const NO_FD: number = -1;

/** Largest peer id: QEMU's doorbell register has 16 bits for it. */
export const PEER_ID_MAX = 65535;

/** Whether a message's value is a peer's id. */
export function isPeerId(value: number): boolean {
  return value >= 0 && value <= PEER_ID_MAX;
}

/** One message. */
export interface Message {
  /** Version, id or {@linkcode MEMORY}; exact if it is one. */
  readonly value: number;
  /** The descriptor that goes with it, or {@linkcode NO_FD}. */
  readonly fd: number;
  /** Whether a descriptor came with it that we may not open, as too many are (EMFILE). */
  readonly isCut?: boolean;
}

/** Why no message was received. */
export type Silence =
  /** None is there now. */
  | "nothing"
  /** The other side has closed the connection. */
  | "closed"
  /** The connection ended within a message, or broke. */
  | "broken";

const value = new BigInt64Array(1);
const passed = new Int32Array(1);

/** Receive what is there, without waiting. Its descriptor belongs to the caller. */
export function receiveMessage(socket: number): Message | Silence {
  const result = shim.shim_unix_receive(socket, value, passed, 0);
  if (result === 0) return { value: Number(value[0]), fd: passed[0] };
  if (passed[0] >= 0) shim.shim_fd_close(passed[0]);
  const { code } = new ShimError("receive", -result);
  if (code === "EMFILE") return { value: Number(value[0]), fd: NO_FD, isCut: true };
  if (code === "EAGAIN" || code === "EINTR") return "nothing";
  return code === "ECONNRESET" ? "closed" : "broken";
}
