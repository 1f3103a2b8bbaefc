/**
 * `culvert top` in a terminal of tmux and in a pipe, on hosts and guests that come and go.
 *
 * @module
 */
import assert from "node:assert/strict";
import config from "../../deno.json" with { type: "json" };
import { Lab, testFrame, until, waitUntil } from "../kit/lab.ts";

/** A terminal of a tmux of its own; its shell goes on when what it runs has ended. */
class Terminal implements AsyncDisposable {
  readonly #socket = `culvert-test-${crypto.randomUUID()}`;

  static async open(columns: number, rows: number): Promise<Terminal> {
    const terminal = new Terminal();
    const size = ["-x", `${columns}`, "-y", `${rows}`];
    await terminal.tmux("-f", "/dev/null", "new-session", "-d", ...size, "PS1='$ ' sh");
    return terminal;
  }

  async tmux(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await new Deno.Command("tmux", {
      args: ["-u", "-L", this.#socket, ...args],
      env: { LC_ALL: "C.UTF-8" },
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  }

  /** What is on the screen; with colours as ECMA-48 writes them. */
  screen(isColoured = false): Promise<string> {
    return this.tmux("capture-pane", "-p", ...isColoured ? ["-e"] : []);
  }

  /** What tmux knows of the terminal: whether a program has the other screen, hides the cursor. */
  async state(): Promise<string> {
    return (await this.tmux("display", "-p", "#{alternate_on} #{cursor_flag}")).trim();
  }

  async shows(wanted: RegExp): Promise<string> {
    let screen = "";
    await waitUntil(async () => wanted.test(screen = await this.screen()));
    assert.match(screen, wanted);
    return screen;
  }

  async type(...keys: string[]): Promise<void> {
    await this.tmux("send-keys", ...keys);
  }

  /** Type a command line, the one of a task of deno.json, with `set` in front. */
  async run(lab: Lab, args: string[], set = ""): Promise<void> {
    const [, ...deno] = config.tasks.top.command.split(" ");
    const line = [set, Deno.execPath(), ...deno, ...args].join(" ");
    await this.type(`${line}; echo "ended $?"`, "Enter");
    await this.shows(new RegExp(`^region ${lab.region}: READY`, "m"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.tmux("kill-server");
  }
}

Deno.test("culvert top shows a host, a guest and their frames on the whole screen, and obeys its keys", async () => {
  await using lab = await Lab.open();
  const running = await lab.forwarding(await lab.namespacePair({ quiet: true }));
  const { guest, host, wires } = running;
  await using terminal = await Terminal.open(80, 24);
  await terminal.run(lab, [lab.region, "-i", "0.5"]);
  assert.equal(await terminal.state(), "1 0");
  const screen = await terminal.shows(/guest g0: RUNNING/);
  assert.match(screen, /^ {2}core \d+ \[[#.]{10}\] +\d+ % busy$/m);
  assert.match(screen, /mbufs \[[#.]{10}\] \d+ of 8192$/m);
  assert.match(screen, /^PORT +RX\/s +RXb\/s .* FRAMES$/m);
  await wires.a.send(testFrame(100), 50);
  await terminal.shows(/^g0 \S+ +[\d.]+k? +.* +\d+\/\d+ .*█/m); // a mark of its sparkline

  await terminal.type("d");
  await terminal.shows(/received 50, bursts \d+ % full; sent 0/);
  await terminal.shows(/d details: on/);
  await terminal.type("s");
  await terminal.shows(/s sort: rx/);
  assert.equal((await guest.stop()).code, 0);
  await terminal.shows(/guest g0: ABSENT/);
  await wires.a.send(testFrame(100), 7);
  await terminal.shows(/dropped +\S+\/s, 7 in all: no guest attached/);

  await terminal.tmux("resize-window", "-x", "120", "-y", "40");
  assert.match(await terminal.shows(/BURSTS%/), /^PORT.{110,}FRAMES$/m);

  await terminal.type("q");
  await terminal.shows(/^ended 0$/m);
  assert.equal(await terminal.state(), "0 1");
  await lab.finishHost(host);
});

Deno.test("culvert top gives the terminal back however it ends, and has no colours under NO_COLOR", async () => {
  await using lab = await Lab.open();
  const host = await lab.startHost(["--port", "ring:a", "--guest", "1", "--port", "ring:b"]);
  await using terminal = await Terminal.open(80, 24);
  const isCooked = async () => {
    await terminal.type("stty -a | grep -o ' icanon.* echo ' && echo cook''ed", "Enter");
    await terminal.shows(/^cooked$/m);
    assert.equal(await terminal.state(), "0 1");
    await terminal.type("clear", "Enter");
    await waitUntil(async () => !/cooked/.test(await terminal.screen()));
  };
  // deno-lint-ignore no-control-regex
  const colour = /\x1b\[[\d;]*[1-9]m/;
  await terminal.run(lab, [lab.region]);
  assert.match(await terminal.screen(true), colour);
  await terminal.type("C-c");
  await terminal.shows(/^ended 0$/m);
  await isCooked();
  await terminal.run(lab, [lab.region], "NO_COLOR=1");
  assert.doesNotMatch(await terminal.screen(true), colour);
  for (const signal of ["SIGTERM", "SIGHUP", "SIGINT"] as const) {
    const [pid] = await topsOf(lab);
    Deno.kill(pid, signal);
    await terminal.shows(/^ended 0$/m);
    await isCooked();
    if (signal !== "SIGINT") await terminal.run(lab, [lab.region]);
  }
  await lab.finishHost(host);
});

Deno.test("culvert top in a pipe writes lines, also of regions that go and come again", async () => {
  await using lab = await Lab.open();
  const args = ["--port", "null:64", "--mbufs", "512", "-l", "0"];
  const top = lab.culvert("top", [lab.region, "-i", "0.5"]);
  await top.stdoutLine(/region .*: not there$/);
  const host = await lab.startHost(args);
  await top.stdoutLine(/ host READY mbufs \d+ of 512 free core 0 busy (\d+) %$/);
  await top.stdoutLine(/ g0 null:64 rx [\d.]*[1-9][\d.]* Mpps .*no_guest \d+ \([1-9]\d*\/s\)$/);
  host.kill("SIGKILL");
  await host.ended();
  await top.stdoutLine(/ host READY silent /);
  const next = await lab.startHost(args);
  await top.stdoutLine(/ host READY mbufs \d+ of 512 free core 0 busy/);
  await next.stop();
  await top.stdoutLine(/region .*: not there$/);
  const { code, stdout, stderr } = await top.stop();
  assert.deepEqual([code, stderr], [0, ""]);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(stdout, /\x1b/);
  const absent = lab.culvert("top", [lab.newPath(), "-n", "3", "-i", "0.5"]);
  assert.match(
    (await absent.ended()).stdout,
    /^\d\d:\d\d:\d\d region \/dev\/shm\/\S+: not there\n$/,
  );
  await lab.nothingLeft();
});

/** The processes of `culvert top` that look at the lab's region. */
async function topsOf(lab: Lab): Promise<number[]> {
  const pids = () =>
    [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
      if (!(pid > 0)) return false;
      try {
        const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
        return words.includes("top") && words.includes(lab.region);
      } catch {
        return false;
      }
    });
  await until(() => pids().length === 1, "culvert top runs");
  return pids();
}
