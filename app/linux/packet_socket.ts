import { type Advice, check, FILE_ADVICE, ShimError } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";

/** Longest packet that is read, in bytes. */
export const PACKET_MAX = 1 << 16;

/** A connection of a UNIX socket whose messages are texts: SOCK_SEQPACKET. */
export class PacketSocket {
  readonly #bytes = new Uint8Array(PACKET_MAX);

  /** Takes over a descriptor. */
  constructor(readonly fd: number) {}

  /**
   * Connect.
   *
   * @param milliseconds Longest time that this, and a {@linkcode receive} later, may take.
   * @param advice What to do if nobody listens there.
   * @throws {ShimError} if nobody listens there.
   */
  static connect(path: string, milliseconds: number, advice: Advice = FILE_ADVICE): PacketSocket {
    const fd = shim.shim_unix_connect_packets(cString(path), milliseconds);
    return new PacketSocket(check(fd, `connect to ${path}`, advice));
  }

  /** The next text; "nothing" if there is none now, "closed" if the other side is gone. */
  receive(): { readonly text: string } | "nothing" | "closed" {
    const n = shim.shim_file_read(this.fd, this.#bytes, this.#bytes.length);
    if (n > 0) return { text: new TextDecoder().decode(this.#bytes.subarray(0, n)) };
    return n < 0 && new ShimError("", -n).code === "EAGAIN" ? "nothing" : "closed";
  }

  /** Send a text, unless the other side takes none now; returns whether it was sent. */
  send(text: string): boolean {
    return shim.shim_unix_say(this.fd, cString(text)) === 0;
  }

  /** Close it. */
  close(): void {
    shim.shim_fd_close(this.fd);
  }
}
