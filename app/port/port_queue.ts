import { shim } from "../../ffi/shim.ts";

/** One of several queues of a port, each of which an lcore serves; survives `postMessage`. */
export interface QueueSetup {
  /** From 0. */
  readonly number: number;
  /** How many the port has. */
  readonly count: number;
  /** What the queues tell each other, from whatever thread. */
  readonly shared: Int32Array<SharedArrayBuffer>;
}

/** Words that queues share: a lock, the group of their sockets, and by queue its interface. */
const LOCK = 0, GROUP = 1, INTERFACES = 2;

/** The first socket makes a group. */
const NO_GROUP = -1;

/** More frames than the kernel has for us at any time. */
export const WAITING_MAX = 1 << 15;

const EAGAIN = 11, EINVAL = 22;

/** Make `count` queues of a port, all on the interface number `index`. */
export function newQueues(count: number, index: number): QueueSetup[] {
  const bytes = (INTERFACES + count) * Int32Array.BYTES_PER_ELEMENT;
  const shared = new Int32Array(new SharedArrayBuffer(bytes));
  shared[GROUP] = NO_GROUP;
  shared.fill(index, INTERFACES);
  return Array.from({ length: count }, (_, number) => ({ number, count, shared }));
}

/**
 * Have a packet socket share the frames of its interface with those of the other queues: the kernel
 * deals them by the hash of their flow, which is the same in both directions. Fragments of a
 * datagram have no ports: they go by addresses, and stay fragments (no PACKET_FANOUT_FLAG_DEFRAG).
 * What a full socket has no room for is dropped, not given to another queue, where it would
 * overtake (no PACKET_FANOUT_FLAG_ROLLOVER).
 *
 * @returns 0 or -errno; -EAGAIN while another thread does that.
 */
export function shareFrames({ shared }: QueueSetup, fd: number): number {
  if (Atomics.compareExchange(shared, LOCK, 0, 1) !== 0) return -EAGAIN;
  let group = shim.shim_packet_share(fd, shared[GROUP]);
  // The group of that number may be of an interface that has gone.
  if (group === -EINVAL) group = shim.shim_packet_share(fd, NO_GROUP);
  if (group >= 0) shared[GROUP] = group;
  Atomics.store(shared, LOCK, 0);
  return Math.min(group, 0);
}

/**
 * A queue, in its lcore. While queues come to an interface one after another, the kernel gives
 * frames of one flow now to this queue, now to that. So none receives before all have come, and
 * what was there by then is thrown away: frames of one flow do not overtake each other.
 */
export class PortQueue {
  #wasTogether = false;

  /** Use what the queues share. */
  constructor(readonly setup: QueueSetup) {}

  /** Tell the others that this queue is on the interface number `index` now; 0: on none. */
  moveTo(index: number): void {
    Atomics.store(this.setup.shared, INTERFACES + this.setup.number, index);
  }

  /**
   * Whether all queues are on one interface, and were so at the last look: by then the kernel has
   * given each its flows.
   */
  hasSettled(): boolean {
    const { shared } = this.setup;
    let isTogether = true;
    for (let at = INTERFACES; at < shared.length; at++) {
      isTogether &&= Atomics.load(shared, at) === Atomics.load(shared, INTERFACES);
    }
    const wasTogether = this.#wasTogether;
    this.#wasTogether = isTogether && !wasTogether;
    return isTogether && wasTogether;
  }
}
