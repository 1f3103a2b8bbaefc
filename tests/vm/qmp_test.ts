import { deepEqual, equal, rejects } from "node:assert/strict";
import { CulvertError } from "../../ffi/error.ts";
import { QmpClient, QmpError } from "../../app/vm/qmp.ts";
import { TinyQemu } from "./tiny_qemu.ts";

const GREETING = `{"QMP": {"version": {"qemu": {"micro": 0, "minor": 2, "major": 7}}}}\r\n`;

/** What a monitor answers to each command's id: text that is sent as it is. */
type Script = (command: string, id: number, socket: Deno.Conn) => string | Promise<string>;

const answers: Script = (_, id) => `{"return": {}, "id": ${id}}\r\n`;

/** A monitor for one client, in the manner of QEMU's. */
class FakeMonitor implements AsyncDisposable {
  readonly path: string;
  readonly #folder = Deno.makeTempDirSync({ prefix: "culvert-test-" });
  readonly #listener: Deno.Listener;
  readonly #served: Promise<void>;

  constructor(greeting: string, script: Script = answers) {
    this.path = `${this.#folder}/qmp`;
    this.#listener = Deno.listen({ transport: "unix", path: this.path });
    this.#served = this.#serve(greeting, script).catch(() => {}); // the client has gone
  }

  async #serve(greeting: string, script: Script): Promise<void> {
    const socket = await this.#listener.accept();
    const send = async (text: string) => {
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += await socket.write(bytes.subarray(at));
    };
    try {
      await send(greeting);
      let rest = "";
      const decoder = new TextDecoder();
      for (const chunk = new Uint8Array(65536);;) {
        const n = await socket.read(chunk);
        if (n === null) return;
        const lines = (rest + decoder.decode(chunk.subarray(0, n), { stream: true })).split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          const { execute, id } = JSON.parse(line);
          await send(await script(execute, id, socket));
        }
      }
    } finally {
      socket.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#served;
    await Deno.remove(this.#folder, { recursive: true });
  }
}

/** Script that negotiates and then does something else. */
function after(script: Script): Script {
  return (command, ...rest) =>
    command === "qmp_capabilities" ? answers(command, ...rest) : script(command, ...rest);
}

Deno.test("QmpClient talks to a real QEMU, and passes on its errors in its own words", async () => {
  await using qemu = await TinyQemu.start();
  const { qmp } = qemu;
  deepEqual((await qmp.execute<{ status: string }>("query-status")).status, "prelaunch");
  await rejects(qmp.execute("device_del", { id: "nothing" }), (error) => {
    return error instanceof QmpError && error.className === "DeviceNotFound" &&
      error.message === "Cannot carry out device_del as QEMU says: Device 'nothing' not found";
  });
  const resumed = qmp.event(({ event }) => event === "RESUME", 20_000);
  await qmp.execute("cont");
  equal((await resumed)?.event, "RESUME");
  equal(await qmp.event(({ event }) => event === "RESUME", 50), undefined, "it comes once");
});

Deno.test("QmpClient says that QEMU serves somebody else", async () => {
  await using qemu = await TinyQemu.start();
  await rejects(QmpClient.connect(qemu.socket, 300), {
    name: "CulvertError",
    message: /as no greeting came in 0.3 s: QEMU serves one client at a time, end the other one/,
  });
  qemu.qmp.close();
  using next = await QmpClient.connect(qemu.socket);
  await next.execute("query-status");
});

Deno.test("QmpClient notices that QEMU ends while a command is under way", async () => {
  await using qemu = await TinyQemu.start();
  const deleted = qemu.qmp.event(() => false, 20_000);
  const quits = qemu.qmp.execute("human-monitor-command", { "command-line": "quit" });
  await rejects(
    quits.then(() => qemu.qmp.execute("query-status")),
    /QEMU has closed the connection/,
  );
  equal(await deleted, undefined);
  await rejects(qemu.qmp.execute("query-status"), CulvertError);
});

Deno.test("QmpClient.connect() says what is wrong with a socket", async () => {
  await rejects(QmpClient.connect("/nowhere/qmp"), {
    message: "Cannot connect to the QMP socket /nowhere/qmp as there is none: start QEMU with " +
      "-qmp unix:/nowhere/qmp,server=on,wait=off",
  });
  const folder = await Deno.makeTempDir({ prefix: "culvert-test-" });
  try {
    const path = `${folder}/qmp`;
    Deno.listen({ transport: "unix", path }).close();
    await Deno.stat(path).catch(() => Deno.writeTextFile(path, "")); // Deno may remove it
    await rejects(QmpClient.connect(path), /as nobody listens there: start QEMU with/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("QmpClient.connect() refuses what does not greet as QMP does", async () => {
  await using human = new FakeMonitor("QEMU 7.2.22 monitor - type 'help' for more\r\n");
  await rejects(QmpClient.connect(human.path, 5000), /as it sends what is no JSON object/);
  await using other = new FakeMonitor(`{"jsonrpc": "2.0"}\n`);
  await rejects(QmpClient.connect(other.path, 5000), /as it does not greet as QMP does/);
  await using silent = new FakeMonitor("");
  await rejects(QmpClient.connect(silent.path, 100), /as no greeting came in 0.1 s/);
});

Deno.test("QmpClient matches answers to commands by id, in whatever pieces they come", async () => {
  const held: string[] = [];
  const script = after((command, id) => {
    held.unshift(`{"return": "${command} é", "id": ${id}}\r\n`);
    return held.length < 3 ? "" : held.join(""); // the last first
  });
  await using monitor = new FakeMonitor(GREETING, script);
  using qmp = await QmpClient.connect(monitor.path, 5000);
  const found = await Promise.all(["one", "two", "three"].map((name) => qmp.execute(name)));
  deepEqual(found, ["one é", "two é", "three é"]);
});

Deno.test("QmpClient hears events between answers, and each waiter the ones that it wants", async () => {
  const event = (device: string) =>
    `{"event": "DEVICE_DELETED", "data": {"device": "${device}"}, "timestamp": {}}\r\n`;
  const script = after((_, id) => `${event("a")}{"return": 7, "id": ${id}}\r\n${event("b")}`);
  await using monitor = new FakeMonitor(GREETING, script);
  using qmp = await QmpClient.connect(monitor.path, 5000);
  const ofDevice = (name: string, patience: number) =>
    qmp.event(({ data }) => data.device === name, patience);
  const [a, b, c] = [ofDevice("a", 20_000), ofDevice("b", 20_000), ofDevice("c", 200)];
  equal(await qmp.execute("device_del"), 7);
  deepEqual((await a)?.data, { device: "a" });
  deepEqual((await b)?.data, { device: "b" });
  equal(await c, undefined);
});

Deno.test("QmpClient loses patience with a command, and takes no late answer for another's", async () => {
  let late = "";
  const script = after((command, id) => {
    const answer = `{"return": "${command}", "id": ${id}}\r\n`;
    if (command === "slow") late = answer;
    return command === "slow" ? "" : late + answer;
  });
  await using monitor = new FakeMonitor(GREETING, script);
  using qmp = await QmpClient.connect(monitor.path, 5000);
  await rejects(qmp.execute("slow", {}, 50), {
    name: "CulvertError",
    message: /as slow was not answered in 0.05 s: QEMU hangs/,
  });
  equal(await qmp.execute("quick"), "quick");
});

Deno.test("QmpClient fails what is under way when it is closed, and all that comes after", async () => {
  await using monitor = new FakeMonitor(GREETING, after(() => ""));
  const qmp = await QmpClient.connect(monitor.path, 5000);
  const pending = rejects(qmp.execute("query-status"), /as it was closed/);
  qmp.close();
  qmp.close();
  await pending;
  await rejects(qmp.execute("query-status"), /as it was closed/);
  equal(await qmp.event(() => true, 1000), undefined);
});

Deno.test("QmpClient fails when the connection ends or goes wrong in the middle", async () => {
  const broken: [Script, RegExp][] = [
    [(_, __, socket) => (socket.closeWrite(), ""), /QEMU has closed the connection/],
    [() => "Segmentation fault\n", /it sends what is no JSON object/],
    [() => "[1]\n", /it sends what is no JSON object/],
  ];
  for (const [script, message] of broken) {
    await using monitor = new FakeMonitor(GREETING, after(script));
    using qmp = await QmpClient.connect(monitor.path, 5000);
    await rejects(qmp.execute("query-status", {}, 500), message);
  }
});
