import { sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import type { Peer, PeerEvent } from "../../app/ivshmem/peer.ts";

/** A member of a region whose server is the test. */
export class FakePeer {
  readonly vectors: number[];
  readonly others = new Map<number, number[]>();
  readonly memoryFd: number;
  isConnected = true;
  isClosed = false;
  /** What the server says next. */
  news: PeerEvent[] = [];

  constructor(readonly id: number, vectors = 2, memoryFd = sealedMemfd("fake", 4096)) {
    this.vectors = Array.from({ length: vectors }, () => shim.shim_eventfd());
    this.memoryFd = memoryFd;
  }

  /** Somebody joins. */
  joins(id: number): number[] {
    const eventfds = [shim.shim_eventfd(), shim.shim_eventfd()];
    this.others.set(id, eventfds);
    this.news.push({ kind: "joined", id });
    return eventfds;
  }

  /** Somebody leaves. */
  leaves(id: number): void {
    this.news.push({ kind: "left", id, eventfds: this.others.get(id)! });
    this.others.delete(id);
  }

  /** The server goes. */
  loses(): void {
    this.isConnected = false;
    this.news.push({ kind: "server-gone", reason: "the connection is closed" });
  }

  takeOthers(): number[][] {
    const taken = [...this.others.values()];
    this.others.clear();
    return taken;
  }

  poll(): PeerEvent[] {
    return this.news.splice(0);
  }

  close(): void {
    this.isClosed = true;
    for (const fd of [...this.vectors, ...[...this.others.values()].flat()]) shim.shim_fd_close(fd);
  }

  /** As what it is taken for. */
  get peer(): Peer {
    return this as unknown as Peer;
  }
}
