import { check, CulvertError, ShimError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { type Credentials, Member } from "./member.ts";
import { PeerIds } from "./peer_ids.ts";
import { PollSet, READABLE, WRITABLE } from "../linux/poll_set.ts";
import { PEER_ID_MAX } from "./protocol.ts";
import { noCounts, type ServerCounts } from "./server_counts.ts";

/** Connections that are accepted before the members are looked after again. */
const ACCEPT_BURST = 64;
/** Milliseconds until connections are accepted again where the kernel had no descriptors. */
const LATER_MS = 100;
/**
 * Milliseconds until messages are sent again after the kernel had no room for them: a peer waits
 * longer than that for its next vector.
 */
const ROOM_MS = 10;

/** The limits of a server. */
export interface ServerLimits {
  /** How many ids there are. */
  readonly ids: number;
  /** The first id that is given. */
  readonly firstId: number;
  /** Messages that may wait for a member, beyond those that it is greeted with. */
  readonly backlog: number;
  /** Milliseconds that a member may take no message, if there are some for it. */
  readonly stallMs: number;
  /** Bytes of a member's send buffer; 0 for the kernel's default. */
  readonly sendBuffer: number;
}

/** The limits unless others are given. */
const SERVER_LIMITS: ServerLimits = {
  ids: PEER_ID_MAX + 1,
  firstId: 0,
  backlog: 8192,
  stallMs: 30_000,
  // The smallest, for six messages: descriptors that nobody has read count as our open files.
  sendBuffer: 1,
};

/** Where a server says what it does. */
export interface ServerLog {
  /** What is ordinary: joins and leaves. */
  event(line: string): void;
  /** What is not. */
  trouble(line: string): void;
}

/** What a server hands out. */
export interface ServedRegion {
  /** A listening UNIX socket that does not block. */
  readonly listener: number;
  /** The memory. */
  readonly memoryFd: number;
  /** Interrupt vectors of each peer. */
  readonly vectors: number;
  /** Told the first id that was never given: a server after this one begins there. */
  readonly given?: (next: number) => void;
}

/**
 * Hands out a region's memory, and tells its members of each other, in QEMU's protocol
 * (`protocol.ts`). One thread that never blocks: what a socket does not take now waits in that
 * member's outbox. A member that says anything is cut off, as by QEMU's server: the protocol gives
 * it nothing to say.
 */
export class IvshmemServer {
  /** What has happened so far. */
  readonly counts: ServerCounts = noCounts();

  readonly #limits: ServerLimits;
  readonly #ids: PeerIds;
  /** In the order of their coming. */
  readonly #members: Member[] = [];
  readonly #poll = new PollSet();
  readonly #wake: number;
  /** Members that are to go, and why. */
  readonly #leaving = new Map<Member, string>();
  #acceptAt = 0;
  /** When to try again to send, after the kernel had no room for messages. */
  #roomAt = 0;
  /** Counts all that come and all that leave. */
  #moves = 0;
  #isShort = false;

  /**
   * Descriptors stay the caller's, who closes them after {@linkcode close}.
   *
   * @throws {ShimError} if there are no descriptors left.
   */
  constructor(
    private readonly region: ServedRegion,
    private readonly log: ServerLog,
    limits: Partial<ServerLimits> = {},
  ) {
    this.#limits = { ...SERVER_LIMITS, ...limits };
    this.#ids = new PeerIds(this.#limits.ids, this.#limits.firstId, region.given);
    this.#wake = check(shim.shim_eventfd(), "make an eventfd");
  }

  /** The members, in the order in which they joined. */
  get members(): { id: number; credentials: Credentials; backlog: number }[] {
    return this.#members.map(({ id, credentials, backlog }) => ({ id, credentials, backlog }));
  }

  /**
   * Serve until `signal` says stop, or `left` returns 0.
   *
   * @param left Gets the number of members; returns how many milliseconds are left if nobody joins.
   * @throws {ShimError} if the kernel refuses to wait for sockets.
   */
  async serve(
    signal: AbortSignal,
    left: (members: number, now: number) => number = () => Infinity,
  ): Promise<void> {
    const wake = () => void shim.shim_eventfd_signal(this.#wake);
    signal.addEventListener("abort", wake);
    try {
      while (!signal.aborted) {
        const now = performance.now();
        const milliseconds = left(this.#members.length, now);
        if (milliseconds <= 0) return;
        await this.#turn(Math.min(milliseconds, this.#untilNextDuty(now)));
      }
    } finally {
      signal.removeEventListener("abort", wake);
    }
  }

  /** Close all connections. Members keep what they have; they see that the server is gone. */
  close(): void {
    for (const member of this.#members.splice(0)) member.close();
    shim.shim_fd_close(this.#wake);
  }

  async #turn(milliseconds: number): Promise<void> {
    const members = [...this.#members];
    const isAccepting = performance.now() >= this.#acceptAt;
    this.#poll.clear();
    this.#poll.add(this.#wake, READABLE);
    const door = this.#poll.add(isAccepting ? this.region.listener : -1, READABLE);
    const places = members.map(({ socket, isFull }) =>
      this.#poll.add(socket, isFull ? READABLE | WRITABLE : READABLE)
    );
    await this.#poll.wait(milliseconds);
    const now = performance.now();
    members.forEach((member, i) => {
      const isReady = this.#poll.happened(places[i]);
      if (isReady) this.#hear(member);
      if (isReady || (member.laterAt <= now && this.#roomAt <= now)) this.#flush(member, now);
      this.#checkPace(member, now);
    });
    this.#letGo(now); // before newcomers: they are not told of those that have left
    if (this.#poll.happened(door)) this.#accept(now);
    this.#letGo(now);
  }

  /** Milliseconds until something is due that no socket wakes us for. */
  #untilNextDuty(now: number): number {
    let next = now < this.#acceptAt ? this.#acceptAt : Infinity;
    for (const { stuckSince, laterAt } of this.#members) {
      next = Math.min(next, stuckSince + this.#limits.stallMs, Math.max(laterAt, this.#roomAt));
    }
    return Math.max(next - now, 0);
  }

  #accept(now: number): void {
    for (let i = 0; i < ACCEPT_BURST; i++) {
      const socket = shim.shim_unix_accept(this.region.listener, this.#limits.sendBuffer);
      if (socket >= 0) {
        this.#admit(socket, now);
        continue;
      }
      const error = new ShimError("accept a connection", -socket);
      if (error.code === "ECONNABORTED" || error.code === "EINTR") continue;
      return error.code === "EAGAIN" ? undefined : this.#pauseAccepting(error, now);
    }
  }

  /** Ignore the listener for a while: the connection that waits keeps it readable. */
  #pauseAccepting(error: CulvertError, now: number): void {
    this.#acceptAt = now + LATER_MS;
    if (!this.#isShort) this.log.trouble(error.message);
    this.#isShort = true;
  }

  #admit(socket: number, now: number): void {
    const id = this.#ids.take(this.#members[0]?.joinedAt ?? Infinity);
    if (id === undefined) {
      this.#refuse(socket, "all ids are in use, or were when a member joined that is still there");
      return;
    }
    let member;
    try {
      const { vectors, memoryFd } = this.region;
      member = new Member(id, socket, vectors, ++this.#moves, memoryFd, this.#members);
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      this.#ids.retire(id, ++this.#moves);
      this.#refuse(socket, error.message);
      this.#pauseAccepting(error, now);
      return;
    }
    this.#isShort = false;
    this.counts.joined++;
    const { pid, uid, gid } = member.credentials;
    this.log.event(`peer ${id} joined: process ${pid}, user ${uid}, group ${gid}`);
    this.#members.push(member);
    this.#tellAll(now);
  }

  /**
   * Send to all members but those that take nothing now: a join must not cost a call for each of
   * these.
   */
  #tellAll(now: number): void {
    for (const member of this.#members) if (!member.isWaiting) this.#flush(member, now);
  }

  #refuse(socket: number, reason: string): void {
    this.counts.refused++;
    this.log.trouble(`refused a connection: ${reason}`);
    shim.shim_fd_close(socket);
  }

  #hear(member: Member): void {
    const heard = member.hear();
    if (heard === "nothing") return;
    if (heard === "left") {
      this.#leaving.set(member, "left");
      return;
    }
    this.counts.talked++;
    this.counts.bytes += heard.bytes;
    this.counts.descriptors += heard.descriptors;
    const also = heard.descriptors > 0 ? ", and descriptors" : "";
    this.#leaving.set(member, `is cut off: it sent ${heard.bytes} bytes${also}, and may send none`);
  }

  #flush(member: Member, now: number): void {
    if (this.#leaving.has(member)) return;
    const result = member.flush(now, ROOM_MS, this.counts);
    if (result === "gone") this.#leaving.set(member, "left");
    if (result === "later") this.#roomAt = now + ROOM_MS; // nor is there room for others
  }

  #checkPace(member: Member, now: number): void {
    const stuck = now - member.stuckSince;
    const isLate = stuck >= this.#limits.stallMs;
    if (this.#leaving.has(member) || (!isLate && member.backlog <= this.#limits.backlog)) return;
    this.counts.stalled++;
    const found = isLate
      ? `it took no message for ${Math.round(stuck / 1000)} s`
      : `${member.backlog} messages wait for it`;
    this.#leaving.set(member, `is cut off: ${found}`);
  }

  /**
   * Close the members that are to go, and tell the others. That may show that some of these are
   * gone, too.
   */
  #letGo(now: number): void {
    while (this.#leaving.size > 0) {
      for (const [member, how] of this.#leaving) this.#remove(member, how);
      this.#leaving.clear();
      this.#tellAll(now);
    }
  }

  #remove(member: Member, how: string): void {
    this.counts.left++;
    const line = `peer ${member.id} ${how}`;
    if (how === "left") this.log.event(line);
    else this.log.trouble(line);
    const place = this.#members.indexOf(member);
    this.#members.splice(place, 1);
    for (const other of this.#members) other.hasLeft(place, member.id);
    this.#ids.retire(member.id, ++this.#moves);
    member.close();
  }
}
