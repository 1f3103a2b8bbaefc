import { CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { Peer } from "../ivshmem/peer.ts";
import { PEER_ID_MAX } from "../ivshmem/protocol.ts";
import type { ServerStarter } from "./server_starter.ts";

/** Milliseconds between two looks for a server, and where one is that will not do. */
const LOOK_MS = 100, WRONG_MS = 1000;

/** A server that was asked for and is not there after so many milliseconds is asked for again. */
const START_MS = 10_000;

/**
 * Finds the server of a region again, when the one that we joined is gone: whoever has started it, it must
 * hand out the same memory, and as many vectors. Eventfds outlive their server, so that members who know
 * each other go on ringing each other meanwhile.
 */
export class Reconnector {
  #lookAt = 0;
  #startAt = 0;
  #told = "";

  /**
   * For a region whose server listens at `path`.
   *
   * @param log Told why a server that is there will not do.
   * @param starter Starts another one, if we are the one to do so.
   */
  constructor(
    private readonly path: string,
    private readonly log: (line: string) => void,
    private readonly starter?: ServerStarter,
  ) {}

  /**
   * Join again if that can be done now: to be called some times a second while we are cut off.
   *
   * @param last As what we were a member before. It stays open: its eventfds may be in use.
   * @param now A clock in milliseconds.
   */
  attempt(last: Peer, now: number): Peer | undefined {
    if (now < this.#lookAt) return undefined;
    this.#lookAt = now + LOOK_MS;
    const peer = this.#connect(last, now);
    if (peer === undefined) this.#start(last, now);
    else if (this.#isRight(peer, last)) {
      this.#startAt = 0;
      return peer;
    } else {
      peer.close();
      this.#lookAt = now + WRONG_MS;
    }
    return undefined;
  }

  #connect(last: Peer, now: number): Peer | undefined {
    try {
      return Peer.connect(this.path, last.vectors.length);
    } catch (error) {
      if (!(error instanceof CulvertError)) throw error;
      this.#tell(error.message);
      this.#lookAt = now + WRONG_MS;
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

  #start(last: Peer, now: number): void {
    if (now < this.#startAt) return;
    this.#startAt = now + START_MS;
    const used = Math.max(last.id, ...last.others.keys());
    this.starter?.start(used < PEER_ID_MAX / 2 ? used + 1 : 0);
  }

  #tell(what: string): void {
    if (what !== this.#told) this.log(what);
    this.#told = what;
  }
}
