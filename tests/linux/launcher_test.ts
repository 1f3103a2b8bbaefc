import { equal, ok } from "node:assert/strict";
import { findProcess, Launcher, type Process } from "../../app/linux/launcher.ts";

/** Processes by their ids, which a test lets end. */
class Processes {
  readonly #all = new Map<number, Process>();
  parent = 0;

  /** Each is the parent of the one before; our own parent is the first. */
  constructor(...commands: string[][]) {
    commands.forEach((words, i) =>
      this.#all.set(100 - i, { pid: 100 - i, parent: 99 - i, start: `${i}`, words })
    );
    this.parent = 100;
  }

  find = (pid: number) => this.#all.get(pid);

  launcher(): Launcher | undefined {
    return Launcher.of(() => this.parent, this.find);
  }

  end(pid: number): void {
    this.#all.delete(pid);
  }

  /** Another process gets the id. */
  reuse(pid: number): void {
    this.#all.set(pid, { ...this.#all.get(pid)!, start: "later" });
  }
}

const TASK = ["deno", "task", "-q", "host"];
const NPM_SHELL = ["sh", "-c", "'deno' task -q host"];
const NPX = ["npm exec deno@2.9.6 task -q host"];

Deno.test("Launcher sees that npx, its shell or deno task has ended, and says which", () => {
  for (
    const [pid, said] of [[98, "npm exec deno@2.9.6 task"], [99, "sh -c 'deno' task"]] as const
  ) {
    const processes = new Processes(TASK, NPM_SHELL, NPX, ["bash"]);
    const launcher = processes.launcher()!;
    equal(launcher.gone, undefined);
    processes.end(pid);
    equal(launcher.gone, said);
  }
  const processes = new Processes(TASK);
  const launcher = processes.launcher()!;
  equal(launcher.gone, undefined);
  processes.parent = 1;
  equal(launcher.gone, "deno task -q host");
});

Deno.test("Launcher knows npx without a shell between, and sees that an id is another's now", () => {
  const processes = new Processes(TASK, ["/usr/bin/node", "/usr/bin/npx", "-y", "deno@2.9.6"]);
  const launcher = processes.launcher()!;
  equal(launcher.gone, undefined);
  processes.reuse(99);
  equal(launcher.gone, "/usr/bin/node /usr/bin/npx -y deno@2.9.6");
});

Deno.test("Launcher lets the shell go that has put deno task into the background", () => {
  const processes = new Processes(TASK, ["bash", "-c", "deno task host &"], ["sshd"]);
  const launcher = processes.launcher()!;
  processes.end(99);
  equal(launcher.gone, undefined);
});

Deno.test("Launcher is none where another program has started us", () => {
  equal(new Processes(["deno", "test", "-A"], NPM_SHELL, NPX).launcher(), undefined);
  equal(new Processes(["/sbin/init"]).launcher(), undefined);
  equal(new Processes().launcher(), undefined);
});

Deno.test("Launcher takes what it may not see any more for present", () => {
  const processes = new Processes(TASK, NPX);
  const launcher = processes.launcher()!;
  processes.end(100);
  processes.end(99);
  equal(launcher.gone, undefined, "the parent's id is the same: only /proc is hidden");
});

Deno.test("findProcess() finds this process, and none with an id that nobody has", () => {
  const self = findProcess(Deno.pid)!;
  equal(self.pid, Deno.pid);
  equal(self.parent, Deno.ppid);
  ok(self.words[0].endsWith("deno"));
  equal(self.words[1], "test");
  ok(Number(self.start) > 0);
  equal(findProcess(2 ** 22 + 1), undefined);
});
