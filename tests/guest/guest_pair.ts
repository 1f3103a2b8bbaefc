import { equal } from "node:assert/strict";
import { Guest } from "../../app/guest/guest.ts";
import { GuestLcore, type GuestLcoreHandle } from "../../app/guest/guest_lcore.ts";
import type { GuestOptions } from "../../app/guest/guest_options.ts";
import type { FunctionModule } from "../../app/guest/function/function_module.ts";
import type { LoadedVersion } from "../../app/guest/lcore_run.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { TestHost } from "../host/test_host.ts";
import { InlineThread } from "../lcore/inline_thread.ts";
import { GUEST_DEFAULTS } from "./guest_defaults.ts";
import { type TestLink, testLink } from "./test_link.ts";

const FUNCTIONS = {
  handles: [{ name: "io", options: {} }],
  originates: false,
  offloads: false,
  answers: false,
};

/** A whole guest beside a whole host, in one thread and by one clock. */
export class Pair implements Disposable {
  readonly host = new TestHost({ ports: 2 });
  readonly log: string[] = [];
  readonly threads: InlineThread<GuestLcoreHandle, GuestLcore>[] = [];
  readonly link: TestLink = testLink(this.host.memory);
  /** Whether there is a region. */
  isThere = true;
  /** Called when it is opened: may throw. */
  opening: () => void = () => {};
  /** How often it was opened. */
  opened = 0;
  readonly guest: Guest;
  #now = 0;

  constructor(options: Partial<GuestOptions> = {}) {
    this.guest = new Guest({ ...GUEST_DEFAULTS, ...options }, FUNCTIONS, {
      openLink: () => {
        this.opening();
        if (this.isThere) this.opened++;
        return this.isThere ? this.link : undefined;
      },
      regionNames: () => ["blue", "red"],
      spawn: (core) => this.thread(core),
      clock: () => this.#now,
      log: (line) => this.log.push(line),
      wake() {},
    });
  }

  /** The thread of an lcore that runs `module`. */
  thread(core: number, module: FunctionModule = {}): InlineThread<GuestLcoreHandle, GuestLcore> {
    const loaded = [{ handle: { name: "test", options: {} }, module }];
    const thread = new InlineThread(
      core,
      (handle: GuestLcoreHandle, command) =>
        new GuestLcore(handle, command, () => {}, loaded, { clock: () => this.#now * 1e6 }),
    );
    this.threads.push(thread);
    return thread;
  }

  /** Functions that are to take over. */
  version(module: FunctionModule): LoadedVersion {
    const functions = { ...FUNCTIONS, originates: module.originates === true };
    return { functions, threads: [this.thread(0, module)] };
  }

  /** Turns of 10 ms: the guest looks, its lcores and then the host take a turn. */
  turns(count: number): void {
    for (let turn = 0; turn < count; turn++) {
      this.#now += 10;
      this.guest.step();
      for (const thread of this.threads) thread.turn();
      this.host.turn();
    }
  }

  /** Forward 100 frames, all of them, then stop guest and host. */
  forwardAndEnd(): void {
    this.host.ports.p0.waiting = 100;
    this.turns(10);
    equal(this.host.counters[1][COUNTER.TX], 100);
    this.guest.stop();
    this.turns(4);
    this.host.end();
  }

  [Symbol.dispose](): void {
    this.guest.close();
    this.host[Symbol.dispose]();
  }
}
