import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { COUNTER, type Counters, newCounters } from "../../app/port/counters.ts";
import { openPackets, PacketPort } from "../../app/port/packet_port.ts";
import { Burst } from "../../app/ring/burst.ts";

/** Most frames that one call sends or receives. */
export const BURST = 32;

const MBUFS = 512;

/** An interface of this network namespace on which a test sends and receives frames. */
export class LinkEnd {
  readonly mbufs: Mbufs;
  readonly #mempool = Mempool.create(MBUFS);
  readonly #counters: Counters = newCounters(1)[0];
  readonly #port: PacketPort;
  readonly #burst = Burst.of(BURST);

  /** @param frameMax The longest frame that is received, in bytes. */
  constructor(link: string, frameMax: number) {
    const stride = (HEADROOM_BYTES + frameMax + 127) & ~63;
    const memory = MappedMemory.ofProcess(MBUFS * stride);
    this.mbufs = new Mbufs(memory, { offset: 0, stride, count: MBUFS });
    this.#port = new PacketPort(openPackets(link)[0], {
      mbufs: this.mbufs,
      mempool: this.#mempool,
      counters: this.#counters,
      frameMax,
    });
  }

  /**
   * Send up to `count` frames, BURST at most, up to the first that the kernel refuses. Each has a
   * call of its own: of a burst it may refuse frames, as a queue is full, and take those behind
   * them, as there is room again, and a port tells how many it took, not which.
   *
   * @param write Writes frame `i` into descriptor `i` of the burst.
   * @returns how many the kernel took: so many from the first one on.
   */
  send(count: number, write: (burst: Burst, i: number) => void): number {
    const burst = this.#burst;
    const n = this.#mempool.allocBurst(burst, Math.min(count, BURST));
    for (let i = 0; i < n; i++) {
      write(burst, i);
      const before = this.#counters[COUNTER.TX];
      const done = i + this.#port.txBurst(burst, 1, i);
      if (this.#counters[COUNTER.TX] > before) continue;
      this.#mempool.free(burst, n - done, done);
      return i;
    }
    return n;
  }

  /** Receive up to BURST frames; `take` is told where each one lies in `mbufs`. */
  receive(take: (byte: number, bytes: number) => void): number {
    const burst = this.#burst, { words } = burst;
    const n = this.#port.rxBurst(burst, BURST);
    for (let i = 0; i < n; i++) {
      const word1 = words[(i << 1) + 1];
      take(this.mbufs.frameByte(words[i << 1], word1), word1 >>> 16);
    }
    this.#mempool.free(burst, n);
    return n;
  }

  /** Look whether the interface is back, and at the kernel's counters: call it now and then. */
  refresh(): void {
    this.#port.refresh();
  }

  /** Frames that were longer than `frameMax`. */
  get oversize(): number {
    return this.#counters[COUNTER.OVERSIZE];
  }

  /** Frames that reached this end's socket and were not received: it had no room, or no mbuf. */
  get missed(): number {
    const counters = this.#counters;
    return counters[COUNTER.MISSED] + counters[COUNTER.OVERSIZE] + counters[COUNTER.RUNT] +
      counters[COUNTER.NO_MBUF] + counters[COUNTER.OFFLOAD];
  }
}
