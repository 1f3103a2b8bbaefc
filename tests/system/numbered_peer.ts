/**
 * One of two programs that send each other numbered frames on the wire, at a steady rate, and check
 * those of the other.
 *
 * usage: numbered_peer.ts INTERFACE OWN_SEED OTHER_SEED FRAMES RATE
 *
 * Says READY, begins when a line comes in, and ends with its {@linkcode PeerReport} in JSON when all
 * of the other's frames are there or none has come for {@linkcode SILENCE_MS}.
 *
 * @module
 */
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { MBUF_STRIDE_BYTES } from "../../app/memory/layout.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { COUNTER, newCounters } from "../../app/port/counters.ts";
import { openPacket, PacketPort } from "../../app/port/packet_port.ts";
import { frameMaxOf } from "../../app/port/kernel_port.ts";
import { ETHERTYPE, faultsOf, FrameChecker, NUMBERED, NumberedFrames } from "./numbered_frames.ts";
import { Burst } from "../../app/ring/burst.ts";

/** What a peer says in the end. */
export interface PeerReport {
  readonly sent: number;
  /** The number of the frame that is to come next: as many as the other sent if all is well. */
  readonly next: number;
  /** What is wrong, in words; empty if nothing is. */
  readonly faults: string;
  /** Frames of other protocols. */
  readonly foreign: number;
  /** Frames that the kernel could not keep until we took them. */
  readonly missed: number;
  /** From the first frame sent to the last received. */
  readonly seconds: number;
}

/** How long nothing comes before a peer gives up. */
const SILENCE_MS = 10_000;
const BURST = 32;
const MBUFS = 1024;

class Peer {
  readonly #mbufs: Mbufs;
  readonly #mempool = Mempool.create(MBUFS);
  readonly #counters = newCounters(1)[0];
  readonly #port: PacketPort;
  readonly #checker: FrameChecker;
  readonly #own: NumberedFrames;
  readonly #burst = Burst.of(BURST);
  #sent = 0;
  #next = 0;
  #foreign = 0;

  constructor(link: string, ownSeed: number, otherSeed: number) {
    const memory = MappedMemory.ofProcess(MBUFS * MBUF_STRIDE_BYTES);
    this.#mbufs = new Mbufs(memory, { offset: 0, stride: MBUF_STRIDE_BYTES, count: MBUFS });
    this.#port = new PacketPort(openPacket(link), {
      mbufs: this.#mbufs,
      mempool: this.#mempool,
      counters: this.#counters,
      frameMax: frameMaxOf(NUMBERED.MAX_BYTES),
    });
    this.#own = new NumberedFrames(ownSeed);
    this.#checker = new FrameChecker(new NumberedFrames(otherSeed), this.#mbufs, "kept");
  }

  run(frames: number, rate: number): PeerReport {
    const fds = Int32Array.from(this.#port.pollable);
    const start = performance.now();
    let heard = start;
    while ((this.#sent < frames || this.#next < frames) && performance.now() - heard < SILENCE_MS) {
      const due = Math.ceil((performance.now() - start) * rate / 1000);
      this.#send(Math.min(due, frames) - this.#sent);
      if (this.#receive()) heard = performance.now();
      else shim.shim_poll(fds, fds.length, 200);
    }
    this.#port.refresh();
    return {
      sent: this.#sent,
      next: this.#next,
      faults: faultsOf(this.#checker.findings),
      foreign: this.#foreign,
      missed: this.#counters[COUNTER.MISSED],
      seconds: (heard - start) / 1000,
    };
  }

  #send(due: number): void {
    const count = Math.min(due, BURST);
    const n = count > 0 ? this.#mempool.allocBurst(this.#burst, count) : 0;
    for (let i = 0; i < n; i++) this.#own.write(this.#mbufs, this.#burst, i, this.#sent + i);
    const sent = this.#port.txBurst(this.#burst, n);
    this.#mempool.free(this.#burst, n - sent, sent);
    this.#sent += sent;
  }

  /** Take and check what is there; false if nothing is. */
  #receive(): boolean {
    const n = this.#port.rxBurst(this.#burst, BURST);
    if (n === 0) return false;
    let ours = 0;
    const burst = this.#burst;
    for (let i = 0; i < n; i++) {
      const byte = this.#mbufs.frameByte(burst.words[i << 1], burst.words[(i << 1) + 1]);
      const type = this.#mbufs.u8[byte + 12] << 8 | this.#mbufs.u8[byte + 13];
      if (type !== ETHERTYPE) {
        this.#foreign++;
        this.#mempool.free(burst, 1, i);
      } else {
        burst.words[ours << 1] = burst.words[i << 1];
        burst.words[(ours++ << 1) + 1] = burst.words[(i << 1) + 1];
      }
    }
    this.#next = this.#checker.check(burst, ours, this.#next);
    this.#mempool.free(burst, ours);
    return true;
  }
}

if (import.meta.main) {
  const [link, ...numbers] = Deno.args;
  const [ownSeed, otherSeed, frames, rate] = numbers.map(Number);
  const peer = new Peer(link, ownSeed, otherSeed);
  console.log("READY");
  await Deno.stdin.read(new Uint8Array(64));
  console.log(JSON.stringify(peer.run(frames, rate)));
  Deno.exit(0);
}
