import { deepEqual, equal } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { Client } from "../../app/cli/client.ts";
import { ScriptedServer } from "../ivshmem/scripted_server.ts";
import { pause, until } from "../kit/wait.ts";

const ignore = Deno.permissions.querySync({ name: "write", path: "/tmp" }).state !== "granted";

/** A client at work as peer 7 with two vectors, beside the peers 0 and 3. */
class ClientLab {
  readonly said: string[] = [];
  readonly server = new ScriptedServer();
  readonly vectors: Map<number, number[]> = this.server.greets(7, [0, 3]);
  readonly client: Client = new Client(this.server.peer(), (text) => this.said.push(text));

  /** How often each vector of a peer was rung since the last call. */
  rung(id: number): number[] {
    return this.vectors.get(id)!.map((eventfd) => shim.shim_eventfd_drain(eventfd));
  }

  interrupt(vector: number): void {
    shim.shim_eventfd_signal(this.vectors.get(7)![vector]);
  }
}

function test(name: string, fn: (lab: ClientLab) => Promise<void>): void {
  Deno.test({
    name: `Client ${name}`,
    ignore,
    fn: async () => {
      const lab = new ClientLab();
      const listening = lab.client.listen();
      try {
        await fn(lab);
      } finally {
        lab.client.end();
        await listening;
        lab.server[Symbol.dispose]();
      }
    },
  });
}

test("dumps as QEMU's client does", async ({ client, said }) => {
  equal(await client.run("dump"), "done");
  deepEqual(said[0].replaceAll(/fd=\d+/g, "fd=N").split("\n"), [
    "our_id = 7",
    "  vector 0 is enabled (fd=N)",
    "  vector 1 is enabled (fd=N)",
    "peer_id = 0",
    "  vector 0 is enabled (fd=N)",
    "  vector 1 is enabled (fd=N)",
    "peer_id = 3",
    "  vector 0 is enabled (fd=N)",
    "  vector 1 is enabled (fd=N)",
  ]);
});

test("interrupts one vector, all of a peer, all of all but us", async (lab) => {
  equal(await lab.client.run("int 3 1"), "done");
  deepEqual([lab.rung(0), lab.rung(3), lab.rung(7)], [[0, 0], [0, 1], [0, 0]]);
  equal(await lab.client.run("int 0 all"), "done");
  deepEqual([lab.rung(0), lab.rung(3), lab.rung(7)], [[1, 1], [0, 0], [0, 0]]);
  equal(await lab.client.run("  int   all "), "done");
  deepEqual([lab.rung(0), lab.rung(3), lab.rung(7)], [[1, 1], [1, 1], [0, 0]]);
  deepEqual(lab.said, []);
});

for (
  const [command, why] of [
    ["int 1 0", "no such peer: 1"],
    ["int 7 0", "no such peer: 7"],
    ["int x 0", "no such peer: x"],
    ["int 3 2", "peer 3 has no vector 2: it has 2"],
    ["int 3 -1", "peer 3 has no vector -1: it has 2"],
    ["int 3", "peer 3 has no vector (which?): it has 2"],
    ["int all all", "no such peer: all"],
    ["int", "no such command: int"],
    ["int 3 1 1", "no such command: int 3 1 1"],
    ["dump all", "no such command: dump all"],
    ["jump", "no such command: jump"],
    ["wait 2", "we have no vector 2: we have 2"],
    ["wait x", "we have no vector x: we have 2"],
    ["wait any soon", "cannot wait for soon s: 0 to 86400 are possible"],
    ["wait any -1", "cannot wait for -1 s: 0 to 86400 are possible"],
    ["wait 0 0.03", "no interrupt came within 0.03 s"],
  ]
) {
  test(`fails at "${command}", with the reason`, async ({ client, said }) => {
    equal(await client.run(command), "failed");
    deepEqual(said, [`failed: ${why}`]);
  });
}

test("carries out what is between semicolons, up to a failure or quit", async (lab) => {
  equal(await lab.client.run("int 0 0;int 3 0; ;int 9 0;int 0 1"), "failed");
  deepEqual([lab.rung(0), lab.rung(3)], [[1, 0], [1, 0]]);
  equal(await lab.client.run("quit;int 0 0"), "quit");
  deepEqual(lab.rung(0), [0, 0]);
  equal(await lab.client.run(""), "done");
  equal(await lab.client.run("help"), "done");
});

test("says which vector was interrupted, and waits for one", async (lab) => {
  const waiting = lab.client.run("wait 1 20");
  lab.interrupt(0);
  await until(() => lab.said.length > 0, "it hears of vector 0");
  equal(await Promise.race([waiting, pause(30)]), undefined, "but waits for vector 1");
  lab.interrupt(1);
  equal(await waiting, "done");
  deepEqual(lab.said, ["interrupt 0", "interrupt 1"]);
});

test("has not waited in vain for an interrupt that came before, but sees each once", async (lab) => {
  lab.interrupt(0);
  await until(() => lab.said.length > 0, "it hears");
  equal(await lab.client.run("wait 0 0"), "done");
  equal(await lab.client.run("wait any 0.02"), "failed");
  lab.interrupt(1);
  equal(await lab.client.run("wait any 20; wait any 0"), "failed");
  lab.interrupt(1);
  equal(await lab.client.run("wait any"), "done");
});

test("tells who joins and leaves, and that the server is gone", async (lab) => {
  lab.server.saysVector(5);
  lab.server.says(3);
  await until(() => lab.said.length === 2, "it hears");
  equal(await lab.client.run("int 5 0; int 3 0"), "failed");
  lab.server.closes();
  await until(() => lab.said.length === 4, "it hears");
  deepEqual(lab.said, [
    "peer 5 joined",
    "peer 3 left",
    "failed: no such peer: 3",
    "server gone: the connection is closed",
  ]);
  equal(await lab.client.run("int 0 0"), "done", "others are still there");
  deepEqual(lab.rung(0), [1, 0]);
});

test("stops waiting when it is to end", async (lab) => {
  const waiting = lab.client.run("wait any");
  lab.client.end();
  equal(await waiting, "quit");
});
