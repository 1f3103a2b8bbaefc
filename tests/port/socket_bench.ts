import { equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { DESCRIPTOR, DESCRIPTOR_FLAG, SUPER_HEADER } from "../../app/memory/layout.ts";
import { Burst } from "../../app/ring/burst.ts";
import { ConnectedSockets } from "../ffi/connected_sockets.ts";
import { frameOf, metadataOf, type Packet } from "./packets.ts";
import { PlainKernelPort } from "./plain_kernel_port.ts";
import { PortLab } from "./port_lab.ts";

/** Mbufs of a bench, and long ones unless told. */
export const TOTAL = 128, LONG = 12;
const HAS_HEADERS = 1 << 24;
const { SUPER } = DESCRIPTOR_FLAG;

/** A frame as it was shown to the kernel. */
export interface Shown {
  /** Its offload header, or undefined if it was sent among plain frames. */
  readonly header?: Uint8Array;
  readonly bytes: Uint8Array;
}

/** A port that receives from a socket, and keeps what it is told to send. */
export class SocketPort extends PlainKernelPort {
  readonly sent: Shown[] = [];
  mtuBytes = 1500;
  /** The errno of the next frames that are sent; 0 for those that are taken. */
  results: number[] = [];

  constructor(readonly lab: PortLab, private readonly fd: number) {
    super(lab);
  }
  protected override receive(
    map: number,
    slots: Burst,
    word: number,
    room: number,
    count: number,
  ): number {
    return shim.shim_tap_rx(this.fd, map, slots.map, word, room, count | HAS_HEADERS);
  }
  /** Into a pipe of two sockets of its own, so that the shim itself tells what it sends. */
  protected override send(
    map: number,
    burst: Burst,
    count: number,
    at: number,
    headers: number,
  ): number {
    for (let i = 0; i < count; i++) {
      const [errno = 0] = this.results;
      if (errno !== 0 && i > 0) return i;
      this.results.shift();
      if (errno !== 0) return -errno;
      using sockets = new ConnectedSockets();
      const from = headers < 0 ? headers : headers + (i << 16);
      const word = burst.word + (at + i << 1);
      equal(shim.shim_tap_tx(sockets.client, map, burst.map, word, 1, from), 1);
      const all = new Uint8Array(1 << 17);
      const bytes = all.slice(0, shim.shim_file_read(sockets.server, all, all.length));
      this.sent.push(
        headers < 0 ? { bytes } : { header: bytes.slice(0, 10), bytes: bytes.slice(10) },
      );
    }
    return count;
  }
  protected override mtu(): number {
    return this.mtuBytes;
  }
}

/** A port, and the kernel at its other side. */
export class SocketBench implements Disposable {
  readonly sockets = new ConnectedSockets();
  readonly lab: PortLab;
  readonly port: SocketPort;
  readonly burst = Burst.of(64);

  constructor(long = LONG) {
    this.lab = new PortLab(TOTAL, long);
    this.port = new SocketPort(this.lab, this.sockets.server);
    this.port.passesWhole = true;
  }

  /** A frame arrives with these meta. */
  arrive(frame: Uint8Array, { offload, checksum }: { offload: number; checksum: number }): void {
    const message = new Uint8Array(10 + frame.length);
    const view = new DataView(message.buffer);
    view.setUint16(0, offload & 0xffff, true);
    view.setUint16(4, offload >>> 16, true);
    view.setUint16(6, checksum & 0xffff, true);
    view.setUint16(8, checksum >>> 16, true);
    message.set(frame, 10);
    const { client } = this.sockets;
    equal(shim.shim_socket_send(client, message, message.length, message, 0), message.length);
  }

  /** Receive a super-frame, as who takes it whole: its descriptor is the first of the burst. */
  receiveWhole(packet: Packet, size: number): void {
    this.arrive(frameOf(packet, false), metadataOf(packet, size));
    equal(this.port.rxBurst(this.burst, 32), 1);
    ok((this.burst.words[0] & SUPER) !== 0);
  }

  /** The bytes of frame `i`. */
  bytes(i = 0): Uint8Array {
    const [word0, word1] = this.burst.words.subarray(2 * i);
    const byte = this.lab.mbufs.frameByte(word0, word1);
    return this.lab.mbufs.u8.slice(byte, byte + (word1 >>> 16));
  }

  /** Words of its offload header. */
  header(i = 0): Uint32Array {
    const { mbufs } = this.lab;
    const index = this.burst.words[2 * i] & DESCRIPTOR.INDEX_MASK;
    const at = (mbufs.offset + index * mbufs.stride + SUPER_HEADER.START) / 4;
    return mbufs.u32.subarray(at, at + 3);
  }

  [Symbol.dispose](): void {
    this.port.close();
    this.lab.checkAllFree();
    this.lab[Symbol.dispose]();
    this.sockets[Symbol.dispose]();
  }
}
