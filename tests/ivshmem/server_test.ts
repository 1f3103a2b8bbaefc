import { deepEqual, equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { Random } from "../kit/random.ts";
import type { QemuClient } from "./qemu_client.ts";
import { isSameEventfd, type LabOptions, ServerLab } from "./server_lab.ts";
import { pause, until } from "../kit/wait.ts";

const mayWrite = Deno.permissions.querySync({ name: "write", path: "/tmp" }).state === "granted";

function test(name: string, options: LabOptions, fn: (lab: ServerLab) => Promise<void>): void {
  Deno.test({
    name: `IvshmemServer ${name}`,
    ignore: !mayWrite,
    fn: async () => {
      await using lab = await ServerLab.open(options);
      await fn(lab);
    },
  });
}

/** What was said, with "fd" for any descriptor. */
function script({ heard }: QemuClient): string[] {
  return heard.map(({ value, fd }) => fd === -1 ? `${value}` : `${value} fd`);
}

test("greets as QEMU's server: version, id, memory, others' vectors, own vectors", {
  vectors: 2,
}, async (lab) => {
  const a = await lab.client();
  await a.knows([], 2);
  deepEqual(script(a), ["0", "0", "-1 fd", "0 fd", "0 fd"]);
  const b = await lab.client();
  await b.knows([0], 2);
  deepEqual(script(b), ["0", "1", "-1 fd", "0 fd", "0 fd", "1 fd", "1 fd"]);
  const c = await lab.client();
  await c.knows([0, 1], 2);
  deepEqual(script(c).slice(3), ["0 fd", "0 fd", "1 fd", "1 fd", "2 fd", "2 fd"]);
});

test("tells of a join once for each vector, and of a leave without a descriptor", {
  vectors: 3,
}, async (lab) => {
  const a = await lab.client();
  const b = await lab.client();
  await a.knows([1], 3);
  await lab.leaves(b);
  await a.knows([], 3);
  deepEqual(script(a).slice(6), ["1 fd", "1 fd", "1 fd", "1"]);
});

test("hands out one memory, and each peer's own eventfds in the order of vectors", {
  vectors: 2,
}, async (lab) => {
  const a = await lab.client();
  const b = await lab.client();
  await a.knows([1], 2);
  await b.knows([0], 2);
  for (const vector of [0, 1]) {
    ok(isSameEventfd(a.peers.get(1)![vector], b.vectors[vector]));
    ok(isSameEventfd(b.peers.get(0)![vector], a.vectors[vector]));
    ok(!isSameEventfd(a.peers.get(1)![vector], b.vectors[1 - vector]));
  }
  equal(shim.shim_file_write(a.memoryFd, Uint8Array.of(1, 2, 3), 3, 100), 3);
  const bytes = new Uint8Array(103);
  equal(shim.shim_file_read(b.memoryFd, bytes, 103), 103);
  deepEqual([...bytes.subarray(100)], [1, 2, 3]);
  equal(Number(shim.shim_file_size(a.memoryFd)), 4096);
});

test("without vectors tells nobody of joins, hence of no leaves", { vectors: 0 }, async (lab) => {
  const a = await lab.client();
  await lab.leaves(await lab.client());
  await lab.leaves(await lab.client());
  a.take();
  deepEqual(script(a), ["0", "0", "-1 fd"]);
});

test("knows who its members are", {}, async (lab) => {
  await lab.client();
  const [{ id, credentials }] = lab.server.members;
  equal(id, 0);
  const { pid, uid, gid } = credentials;
  const owner = Deno.statSync(lab.path);
  deepEqual([pid, uid, gid], [Deno.pid, owner.uid, owner.gid]);
  deepEqual(lab.events, [`peer 0 joined: process ${pid}, user ${uid}, group ${gid}`]);
});

test("serves others at once while one takes nothing, and tells that one all later", {
  vectors: 64,
}, async (lab) => {
  const stalled = lab.silentClient();
  await until(() => lab.server.members.length === 1, "it is a member");
  const others: QemuClient[] = [];
  while (others.length < 6) {
    const start = performance.now();
    others.push(await lab.client());
    ok(performance.now() - start < 2000, "a join took as long as a stall");
  }
  ok(lab.server.members[0].backlog > 0, "384 messages do not fit into a socket");
  await stalled.greeted();
  await stalled.knows(others.map(({ id }) => id), 64);
  equal(lab.server.members[0].backlog, 0);
  for (const other of others) {
    await other.reads(() => other.vectors.length === 64, "own vectors");
    other.vectors.forEach((eventfd, i) => {
      ok(isSameEventfd(stalled.peers.get(other.id)![i], eventfd));
    });
  }
});

test("says nothing of a peer that left before a slow one was told of it", {
  vectors: 64,
  sendBuffer: 0,
}, async (lab) => {
  const slow = lab.silentClient();
  const others: QemuClient[] = [];
  while (others.length < 7) others.push(await lab.client());
  ok(lab.server.members[0].backlog > 0);
  for (const other of others.slice(1)) await lab.leaves(other);
  await slow.greeted();
  await slow.knows([others[0].id], 64);
  const told = new Set(slow.heard.slice(3).map(({ value }) => value));
  ok(told.size >= 4 && !told.has(others[6].id), "the last was never mentioned");
  const leaves = slow.heard.slice(3).filter(({ fd }) => fd === -1);
  equal(leaves.length, told.size - 2, "all that were mentioned, but the one that is there, and we");
});

test(
  "cuts off a client for which too many messages wait",
  { vectors: 64, backlog: 100 },
  async (lab) => {
    const stalled = lab.silentClient();
    const reader = await lab.client();
    for (let i = 0; i < 8 && lab.server.counts.stalled === 0; i++) {
      const { id } = await lab.client();
      await reader.reads(() => reader.peers.get(id)?.length === 64, "it reads all");
    }
    equal(lab.server.counts.stalled, 1);
    await reader.reads(() => !reader.peers.has(0), "the others hear that it is gone");
    ok(/^peer 0 is cut off: 1[0-6]\d messages wait for it$/.test(lab.troubles[0]), lab.troubles[0]);
    await stalled.reads(() => stalled.isLost, "it finds out itself, behind what it was sent");
  },
);

test("does not hold against a newcomer that its greeting is long", {
  vectors: 64,
  backlog: 10,
  sendBuffer: 0,
}, async (lab) => {
  for (let i = 0; i < 6; i++) {
    const client = await lab.client();
    await client.knows([...Array(i).keys()], 64);
  }
  const slow = lab.silentClient();
  await until(() => lab.server.members.length === 7, "it is there");
  await pause(50);
  equal(lab.server.counts.stalled, 0);
  await slow.greeted();
  await slow.knows([...Array(6).keys()], 64);
});

test("cuts off a client that takes no message for too long", {
  vectors: 64,
  stallMs: 60,
  sendBuffer: 0,
}, async (lab) => {
  const clients: QemuClient[] = [];
  for (let i = 0; i < 6; i++) {
    clients.push(await lab.client());
    await clients[i].knows([...Array(i).keys()], 64);
  }
  lab.silentClient();
  await until(() => lab.server.counts.stalled === 1, "it is cut off");
  ok(/^peer 6 is cut off: it took no message for \d+ s$/.test(lab.troubles[0]), lab.troubles[0]);
  for (const client of clients) {
    await client.knows(clients.map(({ id }) => id).filter((id) => id !== client.id), 64);
  }
});

test(
  "gives each newcomer an id that was never used, while there are some",
  { ids: 5 },
  async (lab) => {
    for (let id = 0; id < 5; id++) {
      const client = await lab.client();
      equal(client.id, id);
      await lab.leaves(client);
    }
    equal((await lab.client()).id, 0, "then those that have been free for longest");
    equal((await lab.client()).id, 1);
  },
);

test("refuses a client when all ids are taken, and goes on", { ids: 2 }, async (lab) => {
  const [a, b] = [await lab.client(), await lab.client()];
  const c = lab.silentClient();
  await c.reads(() => c.isLost, "it is refused");
  deepEqual(c.heard, []);
  equal(lab.server.counts.refused, 1);
  ok(/^refused a connection: all ids are in use/.test(lab.troubles[0]), lab.troubles[0]);
  await lab.leaves(b);
  await lab.leaves(a);
  equal((await lab.client()).id, 1);
});

test("uses no id again while one is there who saw its owner leave", { ids: 3 }, async (lab) => {
  const witness = await lab.client();
  await lab.leaves(await lab.client());
  const late = await lab.client();
  const refused = lab.silentClient();
  await refused.reads(() => refused.isLost, "there is no safe id");
  await lab.leaves(witness);
  equal((await lab.client()).id, 1, "the late one never knew of that");
  const again = lab.silentClient();
  await again.reads(() => again.isLost, "but it saw the witness leave");
  await late.knows([1]);
});

test("cuts off a client that says anything, and counts it", {}, async (lab) => {
  const [a, b] = [await lab.client(), await lab.client()];
  shim.shim_unix_send(b.socket, 7n, -1);
  await b.reads(() => b.isLost, "it is cut off");
  await a.knows([]);
  const { talked, bytes, descriptors } = lab.server.counts;
  deepEqual({ talked, bytes, descriptors }, { talked: 1, bytes: 8, descriptors: 0 });
  deepEqual(lab.troubles, ["peer 1 is cut off: it sent 8 bytes, and may send none"]);
});

test("closes descriptors that a client sends, and counts them", {}, async (lab) => {
  const [a, b] = [await lab.client(), await lab.client()];
  shim.shim_unix_send(b.socket, -1n, a.memoryFd);
  shim.shim_unix_send(b.socket, -1n, a.memoryFd);
  await b.reads(() => b.isLost, "it is cut off");
  equal(lab.server.counts.descriptors, 1);
  ok(/sent \d+ bytes, and descriptors, and may send none/.test(lab.troubles[0]), lab.troubles[0]);
});

test("takes a client that is gone before it is greeted for one that has left", {}, async (lab) => {
  const watcher = await lab.client();
  for (let i = 0; i < 50; i++) lab.silentClient().close();
  await until(() => lab.server.counts.left === 50, "all are gone");
  await watcher.knows([]);
  deepEqual(lab.troubles, []);
});

for (const seed of [1, 2]) {
  test(`tells everybody the same, whoever comes, goes or sleeps (seed ${seed})`, {
    vectors: 16,
    ids: 300,
  }, async (lab) => {
    const random = new Random(seed);
    const there: QemuClient[] = [];
    const asleep = new Set<QemuClient>();
    let mostBacklog = 0;
    for (let step = 0; step < 600; step++) {
      const some = there[random.below(Math.max(there.length, 1))];
      const what = random.below(10);
      if (what < 5) {
        if (there.length < 12) there.push(lab.silentClient());
      } else if (some && what < 8) {
        some.close();
        there.splice(there.indexOf(some), 1);
      } else if (some && what < 9) {
        asleep.add(some);
      } else if (random.below(20) === 0) {
        asleep.clear();
      }
      mostBacklog = Math.max(mostBacklog, ...lab.server.members.map(({ backlog }) => backlog));
      if (random.below(3) > 0) await pause(0);
      for (const client of there) if (!asleep.has(client)) client.take();
    }
    ok(mostBacklog > 50, `a backlog of ${mostBacklog} tests nothing`);
    for (const client of there) await client.greeted();
    equal(lab.server.counts.refused, 0);
    const ids = there.map(({ id }) => id);
    equal(new Set(ids).size, ids.length, "no id twice");
    for (const client of there) await client.knows(ids.filter((id) => id !== client.id), 16);
    for (const client of there) {
      for (const [id, eventfds] of client.peers) {
        const owner = there.find((other) => other.id === id)!;
        ok(isSameEventfd(eventfds[15], owner.vectors[15]), "its vectors, not a former owner's");
      }
    }
  });
}
