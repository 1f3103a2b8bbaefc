import { check } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { Channel } from "../channel/channel.ts";
import { Outstanding } from "../channel/outstanding.ts";
import { SleepFlag } from "../channel/sleep_flag.ts";
import { CommandWord } from "../lcore/command.ts";
import type { IdleMode } from "../lcore/idle.ts";
import { REHEARSAL, type Rehearsed, type RehearsedLcore, rehearseFor } from "../lcore/rehearsal.ts";
import { cellsIn } from "../mempool/mbuf.ts";
import { COUNTER, type Counters, newCounters } from "../port/counters.ts";
import { MadeUpPackets } from "../port/made_up_packets.ts";
import { makePort } from "../port/open_port.ts";
import { Burst } from "../ring/burst.ts";
import { Gate } from "./gate.ts";
import { HostLcore } from "./host_lcore.ts";
import { layOut, type PlacedPort } from "./lay_out.ts";
import { createMempool, disposeMempool } from "./region_mempool.ts";

const BYTES = 8 << 20, MBUFS = 256, RING_SIZE = 64, BURST = 32;

/** Turns without a guest. */
const ALONE = 200;

/**
 * Have the thread of a host's lcore rehearse ({@linkcode rehearseFor}): frames go between two
 * packet ports without an interface, through a guest that is this module, in memory of their own.
 *
 * @param idle What the lcore will do when idle.
 */
export function rehearse(idle: IdleMode): Rehearsed {
  return rehearseFor(idle, (mode) => new Stage(mode));
}

/** All that one host lcore needs, and the guest's ends of its channels. */
class Stage implements RehearsedLcore {
  /** Opened first, as the kernel may refuse these, and nothing else. */
  readonly #packets = [new MadeUpPackets("rehearsal0"), new MadeUpPackets("rehearsal1")];
  readonly #memory = MappedMemory.ofProcess(BYTES);
  readonly #command = CommandWord.create();
  readonly #gate = Gate.create(1);
  readonly #hostFd = check(shim.shim_eventfd(), "make an eventfd");
  readonly #guestFd = check(shim.shim_eventfd(), "make an eventfd");
  readonly #lcore: HostLcore;
  readonly #counters: readonly Counters[];
  readonly #channels: readonly Channel[];
  readonly #flags: readonly SleepFlag[];
  readonly #burst = Burst.of(BURST);
  readonly #dispose: () => void;

  constructor(idle: IdleMode) {
    const memory = this.#memory;
    const ports = this.#packets.map(({ setup }, port): PlacedPort => {
      const opened = { setup, mac: new Uint8Array(6), restore() {} };
      return { opened, port, queue: 0, queues: 1 };
    });
    const region = { name: "rehearsal", mbufs: MBUFS, ringSize: RING_SIZE };
    const laidOut = layOut(
      memory,
      { ...region, guests: [{ number: 0, ports: [] }] },
      { mtu: 1500, burst: BURST },
      [ports],
    );
    const { geometry, frameMax, guests: [{ places }] } = laidOut;
    const mempool = createMempool(geometry);
    this.#dispose = () => disposeMempool(mempool);
    const counters = this.#counters = newCounters(places.length);
    const handle = {
      lcore: 0,
      regions: [{
        name: region.name,
        memory: memory.handle,
        ...{ geometry, frameMax, mempool: mempool.handle },
        ledger: new SharedArrayBuffer(cellsIn(geometry)),
        shared: false,
        outstanding: Outstanding.create(1, 2).handle,
        longMax: Infinity,
        vectors: [this.#hostFd],
        laterVectors: [],
      }],
      guests: [{ region: 0, number: 0, gate: this.#gate.handle, follower: 0 }],
      lanes: places.map((place, port) => {
        return { guest: 0, setup: ports[port].opened.setup, place, counters: counters[port] };
      }),
      ...{ idle, burst: BURST },
    };
    this.#lcore = new HostLcore(handle, this.#command, makePort, () => {});
    this.#channels = places.map((place) => new Channel(memory, place));
    this.#flags = this.#channels.map(({ guestSleepWord }) => {
      return new SleepFlag(memory, guestSleepWord, 0);
    });
    this.#begin();
  }

  /** As a host does: first it takes no frames, then there is no guest for them, then there is. */
  #begin(): void {
    for (const start of [() => this.#command.hold(), () => this.#command.release()]) {
      start();
      for (let i = 0; i < ALONE; i++) {
        if (i % 2 === 0) this.#packets[0].arrivals.next(REHEARSAL.FRAME_BYTES);
        this.#lcore.turn();
      }
    }
    this.#gate.open(false, [this.#guestFd], true);
    this.#gate.offloads = true;
  }

  /**
   * Pass a frame through the guest, which sleeps until then; returns how many the other port has
   * sent.
   */
  pass(from: number): number {
    const burst = this.#burst;
    const sent = this.#counters[1 - from];
    const before = sent[COUNTER.TX];
    this.#packets[from].arrivals.next(REHEARSAL.FRAME_BYTES);
    this.#flags[from].raise();
    for (let i = 0; i < REHEARSAL.TURNS; i++) this.#lcore.turn();
    this.#flags[from].lower();
    shim.shim_eventfd_drain(this.#guestFd);
    const n = this.#channels[from].rx.dequeueBurst(burst, BURST);
    this.#channels[1 - from].tx.enqueueBurst(burst, n);
    shim.shim_eventfd_signal(this.#hostFd);
    for (let i = 0; i < REHEARSAL.TURNS; i++) this.#lcore.turn();
    return sent[COUNTER.TX] - before;
  }

  [Symbol.dispose](): void {
    this.#lcore.close();
    for (const { arrivals } of this.#packets) arrivals.close();
    for (const fd of [this.#hostFd, this.#guestFd]) shim.shim_fd_close(fd);
    this.#command.close();
    this.#gate.dispose();
    this.#dispose();
    this.#memory.close();
  }
}
