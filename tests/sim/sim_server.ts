import type { Peer, PeerEvent } from "../../app/ivshmem/peer.ts";
import type { Reconnector } from "../../app/region/reconnector.ts";

/** A member of the region, as one process has it: it hears of others when it polls. */
export class SimPeer {
  readonly vectors: readonly number[] = [-1];
  readonly others = new Map<number, readonly number[]>();
  readonly memoryFd = -1;
  isConnected = true;
  /** What the server has sent and the process has not read yet. */
  readonly #news: { readonly kind: "joined" | "left" | "gone"; readonly id: number }[] = [];

  constructor(readonly id: number, private readonly server: SimServer) {}

  /** The server says what happened to a member; the process hears of it when it polls. */
  tell(kind: "joined" | "left" | "gone", id: number): void {
    this.#news.push({ kind, id });
  }

  poll(): PeerEvent[] {
    return this.#news.splice(0).flatMap(({ kind, id }): PeerEvent[] => {
      const eventfds = this.others.get(id);
      if (kind === "gone") {
        this.isConnected = false;
        return [{ kind: "server-gone", reason: "the connection is closed" }];
      }
      if (kind === "joined") {
        this.others.set(id, [-1]); // told apart by the array: no descriptor is opened
        return [{ kind, id }];
      }
      this.others.delete(id);
      return eventfds ? [{ kind, id, eventfds }] : [];
    });
  }

  takeOthers(): (readonly number[])[] {
    const taken = [...this.others.values()];
    this.others.clear();
    return taken;
  }

  close(): void {
    this.server.leave(this);
  }

  /** As what the product takes it for. */
  get peer(): Peer {
    return this as unknown as Peer;
  }
}

/** A region's server: it can be killed, and another take its place, with the same memory. */
export class SimServer {
  #members = new Map<number, SimPeer>();
  #isUp = true;
  #nextId = 0;

  /** A process joins; undefined if there is no server. */
  join(): SimPeer | undefined {
    if (!this.#isUp) return undefined;
    const id = this.#nextId;
    this.#nextId = (this.#nextId + 1) % 64;
    if (this.#members.has(id)) return this.join();
    const member = new SimPeer(id, this);
    for (const other of this.#members.values()) {
      member.tell("joined", other.id);
      other.tell("joined", id);
    }
    member.poll(); // who is there is said in the greeting
    this.#members.set(id, member);
    return member;
  }

  /** A process has closed its connection, or was killed. */
  leave(member: SimPeer): void {
    if (this.#members.get(member.id) !== member) return;
    this.#members.delete(member.id);
    for (const other of this.#members.values()) other.tell("left", member.id);
  }

  kill(): void {
    for (const member of this.#members.values()) member.tell("gone", member.id);
    this.#members.clear();
    this.#isUp = false;
  }

  /** Another server begins, whose ids begin anywhere. */
  restart(firstId: number): void {
    this.#isUp = true;
    this.#nextId = firstId % 64;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /**
   * Finds the next server for a member that has lost this one; `joined` is told of the new
   * membership.
   */
  reconnector(joined: (member: SimPeer) => void): Reconnector {
    const attempt = () => {
      const member = this.join();
      if (member) joined(member);
      return member?.peer;
    };
    return { attempt } as unknown as Reconnector;
  }
}
