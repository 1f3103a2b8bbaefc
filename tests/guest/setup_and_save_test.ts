import { deepEqual, equal, match, throws } from "node:assert/strict";
import type { FunctionModule } from "../../app/guest/function/function_module.ts";
import { Progress } from "../../app/guest/function/progress.ts";
import { GuestLcore, type GuestLcoreHandle } from "../../app/guest/guest_lcore.ts";
import { COMMAND, CommandWord } from "../../app/lcore/command.ts";
import type { LcoreThread } from "../../app/lcore/lcore.ts";
import type { Log } from "../../app/linux/log.ts";
import { Pair } from "./guest_pair.ts";

/** A thread whose function is set up until it is told to return. */
class SlowThread implements LcoreThread<GuestLcoreHandle> {
  readonly core = 0;
  readonly ready = Promise.resolve();
  readonly lcore = { core: 0, isDone: false, done: Promise.resolve() };
  isClosed = false;
  progress?: Progress;
  command?: CommandWord;

  isReady = () => true;

  run(command: CommandWord, { progress }: GuestLcoreHandle) {
    this.command = command;
    this.progress = new Progress(progress);
    this.progress.call(0);
    return this.lcore;
  }

  close() {
    this.isClosed = true;
  }
}

Deno.test("Guest.swap() is given up if setup() does not return for 3 s; the old go back once it does", async () => {
  using pair = new Pair();
  const { guest, log } = pair;
  pair.turns(4);
  const slow = new SlowThread();
  const { functions } = pair.version({});
  const named = { ...functions, handles: [{ name: "slow.ts", options: {} }] };
  let reason = "";
  const threads = [slow];
  guest.swap({ functions: named, threads }).catch(({ message }) => reason = message);
  pair.turns(150);
  match(log.at(-1)!, /^function slow\.ts has not returned for 1 s: lcore 0 stands still/);
  await Promise.resolve();
  equal(reason, "");
  pair.turns(300);
  for (let i = 0; i < 10; i++) await Promise.resolve();
  equal(reason, "a function that is at work does not return: start culvert anew");
  equal(guest.forwarding!.isStarting(threads), true);
  slow.progress!.leave();
  slow.progress!.begin();
  pair.turns(2);
  equal(slow.command!.value, COMMAND.STOP);
  slow.lcore.isDone = true;
  pair.turns(10);
  equal(log.at(-1), "lcore 0 goes on");
  equal(slow.isClosed, true);
  pair.forwardAndEnd();
});

Deno.test("a guest lcore says why a function cannot be set up, or saves nothing, and where", () => {
  using pair = new Pair();
  pair.turns(4);
  const log: [string, unknown][] = [];
  const run = (module: FunctionModule) => {
    const command = CommandWord.create();
    command.value = COMMAND.STOP;
    const loaded = [{ handle: { name: "s.ts", options: {} }, module }];
    const say: Log = (line, about) => log.push([line, about?.level]);
    try {
      return GuestLcore.run(pair.threads[0].handle!, command, say, loaded);
    } finally {
      command.close();
    }
  };
  throws(() => run({ setup: () => Promise.resolve() } as never), {
    name: "CulvertError",
    message: "Cannot set up function s.ts as its setup() has returned a promise: " +
      "nothing waits for it, await at the file's top level",
  });
  const saved = run({
    setup() {},
    save() {
      throw new Error("bad save");
    },
  });
  deepEqual(saved, [undefined]);
  run({ setup() {}, save: () => () => {} });
  deepEqual(log.map(([, level]) => level), ["error", "error"]);
  match(
    log[0][0],
    /^Cannot save the state of function s\.ts as it has thrown: bad save at .*setup_and_save_test\.ts:\d+:\d+\)?; the next version begins without it$/,
  );
  match(log[1][0], /^Cannot save the state of function s\.ts as what it gives cannot be copied: /);
});

Deno.test("a guest lcore tells which function is set up, restores or saves", () => {
  using pair = new Pair();
  pair.turns(4);
  const handle = pair.threads[0].handle!;
  const progress = new Progress(handle.progress);
  const seen: unknown[] = [];
  const look = () => void seen.push(progress.atWork);
  const module: FunctionModule = { setup: look, restore: look, save: look };
  const loaded = ["a", "b"].map((name) => ({ handle: { name, options: {} }, module }));
  const command = CommandWord.create();
  command.value = COMMAND.STOP;
  const before = { saved: [7, 7], counted: new Map() };
  GuestLcore.run({ ...handle, before }, command, () => {}, loaded);
  deepEqual(seen, [0, 0, 1, 1, 0, 1]);
  equal(progress.atWork, undefined);
  command.close();
});
