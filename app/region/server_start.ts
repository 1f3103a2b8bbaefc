import { CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { hearReport, type ServerNews } from "../ivshmem/server_report.ts";
import type { ServerEnds } from "../linux/keeper.ts";
import { PollSet, READABLE } from "../linux/poll_set.ts";

/** Milliseconds until a server must be ready: the machine may be busy. */
const READY_MS = 20_000;

/** Most bytes of a server's stderr that are kept. */
const SAID_MAX = 1 << 16;

/** The program's name, with which a server's lines begin. */
const NAME = /^culvert[\w ]*: /;

/** A server that is being started: what it says until it is ready, or has ended. */
export class ServerStart {
  readonly #decoder = new TextDecoder();
  #news: ServerNews = "starting";
  #said = "";
  #isSilent = false;

  /**
   * Listen to a server that has just been started.
   *
   * @param ends Its descriptors, which {@linkcode close} closes.
   */
  constructor(private readonly ends: ServerEnds) {}

  /**
   * What has become of the server; if it has failed, "starting" until all of its stderr is read.
   * Never blocks.
   */
  news(): ServerNews {
    if (this.#news === "starting") this.#news = hearReport(this.ends.report);
    this.#listen();
    const isReady = this.#news !== "starting" && "pid" in this.#news;
    return isReady || this.#isSilent ? this.#news : "starting";
  }

  /** What it has said on stderr until now. */
  get said(): string {
    return this.#said;
  }

  /**
   * Why the server has ended before it was ready: the last line of its stderr, if it has reported
   * an error. If it has not, the last line that is not its own, such as Deno's about a crash.
   */
  get failure(): CulvertError {
    const code = typeof this.#news === "object" && "code" in this.#news
      ? this.#news.code
      : undefined;
    const lines = this.#said.trim().split("\n");
    const last = lines.filter((line) => code !== undefined || !NAME.test(line)).at(-1) ?? "";
    const reason = last.replace(NAME, "");
    const isOurs = reason.startsWith("Cannot ");
    return new CulvertError(
      isOurs ? reason : `Cannot start a server as it ended${reason && `: ${reason}`}`,
      { code },
    );
  }

  /**
   * Wait until it is ready.
   *
   * @returns its process id.
   * @throws {CulvertError} if it ends before, or does not get ready in time.
   */
  async ready(): Promise<number> {
    for (const end = performance.now() + READY_MS; performance.now() < end;) {
      const news = this.news();
      if (news !== "starting" && "pid" in news) return news.pid;
      if (news !== "starting") throw this.failure;
      const poll = new PollSet();
      if (this.#news === "starting") poll.add(this.ends.report, READABLE);
      if (!this.#isSilent) poll.add(this.ends.said, READABLE);
      await poll.wait(end - performance.now());
    }
    throw new CulvertError(
      `Cannot start a server as it was not ready within ${READY_MS / 1000} s: is the machine busy?`,
    );
  }

  /** Stop listening; the server goes on. */
  close(): void {
    shim.shim_fd_close(this.ends.report);
    shim.shim_fd_close(this.ends.said);
  }

  /** Read what the server says, as much as is kept; a server that says more may have to wait. */
  #listen(): void {
    const bytes = new Uint8Array(4096);
    while (!this.#isSilent) {
      const n = shim.shim_file_read(this.ends.said, bytes, bytes.length);
      if (n < 0) return;
      this.#said += this.#decoder.decode(bytes.subarray(0, n), { stream: true });
      this.#isSilent = n === 0 || this.#said.length > SAID_MAX;
    }
  }
}
