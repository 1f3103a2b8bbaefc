import { CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { Peer } from "../ivshmem/peer.ts";
import { PEER_ID_MAX } from "../ivshmem/protocol.ts";
import type { ServerStarter } from "./server_starter.ts";

/**
 * Milliseconds until the next attempt: if nobody listens, and if the server that listens is not the
 * right one.
 */
const LOOK_MS = 100, WRONG_MS = 1000;

/** Milliseconds after which a server that was started and is not ready is started again. */
const START_MS = 10_000;

/**
 * Milliseconds until a server that failed twice is started again: doubled each time, to a limit.
 */
const RETRY_MS = 1000, RETRY_MAX_MS = 10_000;

/**
 * Finds the server of a region again, when the one that we joined is gone. Anybody may have started
 * it, but it must hand out the same memory, and as many vectors. Eventfds outlive their server, so
 * that members that know each other go on notifying each other meanwhile.
 */
export class Reconnector {
  #lookAt = 0;
  #told = "";
  /** When a server was begun that is not ready yet; Infinity if there is none. */
  #begunAt = Infinity;
  /** When the next server may be begun. */
  #startAt = 0;
  #failures = 0;
  /** Whether the server that was begun was ready at the last look. */
  #wasReady = false;

  /**
   * For a region whose server listens at `path`.
   *
   * @param log Told why a server that listens is not the right one.
   * @param starter Starts another server; left out if that is somebody else's task.
   */
  constructor(
    private readonly path: string,
    private readonly log: (line: string) => void,
    private readonly starter?: ServerStarter,
  ) {}

  /**
   * Join the region's server again if it can be done now. To be called several times a second while
   * we have none.
   *
   * @param last Our membership before. It stays open: its eventfds may be in use.
   * @param now A clock in milliseconds.
   */
  attempt(last: Peer, now: number): Peer | undefined {
    if (now < this.#lookAt) return undefined;
    this.#lookAt = now + LOOK_MS;
    const peer = this.#connect(last, now);
    if (peer === "not yet") return undefined;
    if (peer === undefined) this.#keepStarting(last, now);
    else if (this.#isRight(peer, last)) {
      this.#failures = 0;
      this.#startAt = 0;
      this.#begunAt = Infinity;
      return peer;
    } else {
      peer.close();
      this.#lookAt = now + WRONG_MS;
    }
    return undefined;
  }

  /** Undefined if nobody listens; "not yet" if what listens is no server of ours, or is slow. */
  #connect(last: Peer, now: number): Peer | "not yet" | undefined {
    const begun = performance.now();
    try {
      return Peer.connect(this.path, last.vectors.length);
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      this.#tell(error.message);
      // From the end of the attempt on, which may have taken long.
      this.#lookAt = now + (performance.now() - begun) + WRONG_MS;
      return "not yet";
    }
  }

  #isRight(peer: Peer, last: Peer): boolean {
    if (shim.shim_fd_same(peer.memoryFd, last.memoryFd) !== 1) {
      this.#tell(`another server answers at ${this.path}, with other memory: we stay in ours`);
      return false;
    }
    if (peer.vectors.length === last.vectors.length) return true;
    this.#tell(
      `the server at ${this.path} gives ${peer.vectors.length} interrupt vectors where ` +
        `${last.vectors.length} are wanted: start it with -n ${last.vectors.length}`,
    );
    return false;
  }

  /** Nobody answers: begin a server, unless one is starting. */
  #keepStarting(last: Peer, now: number): void {
    if (!this.starter) return;
    if (this.#begunAt !== Infinity) {
      const failure = this.#failureOf(this.starter, now);
      if (failure === undefined) return;
      this.#begunAt = Infinity;
      this.#retryLater(failure, now);
    }
    if (now < this.#startAt) return;
    const used = Math.max(last.id, ...last.others.keys());
    const firstId = used < PEER_ID_MAX / 2 ? used + 1 : 0;
    this.#wasReady = false;
    try {
      this.starter.begin({ fd: last.memoryFd, vectors: last.vectors.length, firstId });
      this.#begunAt = now;
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      this.#retryLater(error.message, now);
    }
  }

  /** Why the server that was begun has failed; undefined as long as it may still come. */
  #failureOf(starter: ServerStarter, now: number): string | undefined {
    const news = starter.news();
    if (now > this.#begunAt + START_MS) return `no server was there within ${START_MS / 1000} s`;
    if (news === "starting") return undefined;
    if (!("pid" in news)) return starter.failure.message;
    if (this.#wasReady) return "a server was ready, and has ended since";
    this.#wasReady = true;
    return undefined;
  }

  /** The first failure may be an accident: try again at once, then less and less often. */
  #retryLater(why: string, now: number): void {
    const pause = this.#failures === 0
      ? 0
      : Math.min(RETRY_MS * 2 ** (this.#failures - 1), RETRY_MAX_MS);
    this.#failures++;
    this.#startAt = now + pause;
    this.#tell(
      `${why}; the next one is started ${pause === 0 ? "at once" : `in ${pause / 1000} s`}`,
    );
  }

  #tell(what: string): void {
    if (what !== this.#told) this.log(what);
    this.#told = what;
  }
}
