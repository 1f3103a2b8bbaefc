/**
 * What a server tells its starter, as one number on a socket that it was given (`--report`): its
 * process id once it is ready, or the negative of a code below. It ends without a number if it
 * crashes.
 *
 * @module
 */
import { CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { NO_FD, receiveMessage } from "./protocol.ts";

/** Why a server does not start: the cases that its starter treats differently. */
const FAILED = 1, ANOTHER_SERVER = 2;

/** The code of an error: another server answers at the socket. */
export const ANOTHER_SERVER_CODE = "ANOTHER_SERVER";

/** The code of any other error. */
const FAILED_CODE = "FAILED";

/** What a starter knows of a server. */
export type ServerNews =
  /** Nothing yet. */
  | "starting"
  | { readonly pid: number }
  /**
   * It has ended, or will at once. With a `code` it says why on stderr, as its last words; without
   * one it was killed, or has crashed.
   */
  | { readonly code?: string };

/** Tell the starter that we are ready. */
export function reportReady(socket: number): void {
  report(socket, Deno.pid);
}

/** Tell the starter that we end. */
export function reportFailure(socket: number, error: unknown): void {
  const isOther = error instanceof CulvertError && error.code === ANOTHER_SERVER_CODE;
  report(socket, -(isOther ? ANOTHER_SERVER : FAILED));
}

/** The starter may be gone: then nobody hears it. */
function report(socket: number, value: number): void {
  shim.shim_unix_send(socket, BigInt(value), NO_FD);
  shim.shim_fd_close(socket);
}

/** Hear what a server has reported. Never blocks. */
export function hearReport(socket: number): ServerNews {
  const message = receiveMessage(socket);
  if (message === "nothing") return "starting";
  if (typeof message === "string") return {};
  if (message.value > 0) return { pid: message.value };
  return { code: message.value === -ANOTHER_SERVER ? ANOTHER_SERVER_CODE : FAILED_CODE };
}
