import { deepEqual, equal, match, ok } from "node:assert/strict";
import { CulvertError } from "../../ffi/error.ts";
import type { ServerNews } from "../../app/ivshmem/server_report.ts";
import type { GivenMemory } from "../../app/linux/keeper.ts";
import { Reconnector } from "../../app/region/reconnector.ts";
import type { ServerStarter } from "../../app/region/server_starter.ts";
import { FakePeer } from "../ivshmem/fake_peer.ts";
import { ScriptedServer } from "../ivshmem/scripted_server.ts";

// That it finds a server again, and refuses one of other memory, is tested with processes: see
// tests/system/reconnector_test.ts.

const NO_SOCKET = "/tmp/culvert-no-such-socket";
const FAILED = "Cannot start a server as it ended";

/** A Reconnector of a region whose servers are begun, and never answer. */
class Course implements Disposable {
  /** When each server was begun, in milliseconds, and which id it was to give first. */
  readonly begun: { at: number; firstId: number }[] = [];
  readonly log: string[] = [];
  readonly #reconnector: Reconnector;
  #now = 0;

  /** @param news What becomes of each server; the last one counts for all that follow. */
  constructor(
    readonly last: FakePeer,
    private readonly news: (ServerNews | "unasked")[],
    path = NO_SOCKET,
  ) {
    const starter = {
      begin: ({ firstId }: GivenMemory) => {
        if (this.#newsNow(1) === "unasked") throw new CulvertError("the keeper is gone");
        this.begun.push({ at: this.#now, firstId });
      },
      news: () => this.#newsNow(0),
      failure: new CulvertError(FAILED),
    } as unknown as ServerStarter;
    this.#reconnector = new Reconnector(path, (line) => this.log.push(line), starter);
  }

  #newsNow(next: number) {
    return this.news[Math.min(this.begun.length - 1 + next, this.news.length - 1)];
  }

  /** Let time go by, a look each 50 ms. */
  until(end: number): void {
    for (; this.#now <= end; this.#now += 50) {
      equal(this.#reconnector.attempt(this.last.peer, this.#now), undefined);
    }
  }

  get times(): number[] {
    return this.begun.map(({ at }) => at);
  }

  [Symbol.dispose](): void {
    this.last.close();
  }
}

Deno.test("Reconnector has a server started that gives ids above all that were given", () => {
  using course = new Course(new FakePeer(3), ["starting"]);
  course.last.joins(7);
  course.until(0);
  deepEqual(course.begun, [{ at: 0, firstId: 8 }]);
});

Deno.test("Reconnector begins with 0 again before the ids are used up", () => {
  using course = new Course(new FakePeer(40_000), ["starting"]);
  course.until(0);
  deepEqual(course.begun, [{ at: 0, firstId: 0 }]);
});

Deno.test("Reconnector waits for a server that is starting, and begins another one if it hangs", () => {
  using course = new Course(new FakePeer(0), ["starting"]);
  course.until(20_000);
  deepEqual(course.times, [0, 10_100]);
  deepEqual(course.log, ["no server was there within 10 s; the next one is started at once"]);
});

Deno.test("Reconnector has a server that failed followed at once, then less and less often, and says so", () => {
  using course = new Course(new FakePeer(0), [{}]);
  course.until(40_000);
  const pauses = course.times.slice(1).map((time, i) => time - course.times[i]);
  deepEqual(pauses, [100, 1100, 2100, 4100, 8100, 10_100, 10_100]);
  const when = ["at once", "in 1 s", "in 2 s", "in 4 s", "in 8 s", "in 10 s"];
  deepEqual(course.log, when.map((pause) => `${FAILED}; the next one is started ${pause}`));
});

Deno.test("Reconnector gives a server that is ready one more look, and has it followed if it was killed", () => {
  using course = new Course(new FakePeer(0), [{ pid: 1 }, "starting"]);
  course.until(1000);
  deepEqual(course.times, [0, 200]);
  deepEqual(course.log, [
    "a server was ready, and has ended since; the next one is started at once",
  ]);
});

Deno.test("Reconnector asks again if the keeper did not begin a server, and says why", () => {
  using course = new Course(new FakePeer(0), ["unasked"]);
  course.until(5000);
  deepEqual(course.begun, []);
  deepEqual(course.log.slice(0, 2), [
    "the keeper is gone; the next one is started at once",
    "the keeper is gone; the next one is started in 1 s",
  ]);
});

Deno.test("Reconnector begins no server while one listens, which may be slow to answer", () => {
  using silent = new ScriptedServer();
  using course = new Course(new FakePeer(0), ["starting"], silent.path);
  const start = performance.now();
  course.until(2900);
  deepEqual(course.begun, []);
  match(course.log[0], /its version did not come within 2 s/);
  ok(performance.now() - start < 3000, "it asks again only after a pause");
});
