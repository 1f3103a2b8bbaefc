import { deepEqual, equal, ok } from "node:assert/strict";
import { cString, shim } from "../../ffi/shim.ts";
import { Peer } from "../../app/ivshmem/peer.ts";
import { Folder } from "../ffi/folder.ts";
import { MEMORY_BYTES, ScriptedServer } from "./scripted_server.ts";
import { isSameEventfd } from "./server_lab.ts";
import { peerTest } from "./peer_leaks.ts";

peerTest("takes what QEMU's server sends a newcomer, in its order", () => {
  using server = new ScriptedServer();
  const vectors = server.greets(3, [0, 2]);
  const peer = server.peer();
  deepEqual([peer.id, peer.bytes, peer.isConnected], [3, MEMORY_BYTES, true]);
  equal(Number(shim.shim_file_size(peer.memoryFd)), MEMORY_BYTES);
  deepEqual([...peer.others.keys()], [0, 2]);
  equal(peer.vectors.length, 2);
  for (const i of [0, 1]) {
    ok(isSameEventfd(vectors.get(3)![i], peer.vectors[i]));
    ok(isSameEventfd(peer.others.get(0)![i], vectors.get(0)![i]));
    ok(isSameEventfd(peer.others.get(2)![i], vectors.get(2)![i]));
  }
  deepEqual([peer.server.pid, peer.server.uid], [Deno.pid, peer.server.uid]);
  deepEqual(peer.poll(), []);
  peer.close();
});

peerTest("rings the vector that is meant, and no other", () => {
  using server = new ScriptedServer();
  const vectors = server.greets(1, [0]);
  const peer = server.peer();
  equal(peer.ring(0, 1), true);
  equal(peer.ring(0, 1), true);
  deepEqual(vectors.get(0)!.map((fd) => shim.shim_eventfd_drain(fd)), [0, 2]);
  for (const [id, vector] of [[0, 2], [0, -1], [1, 0], [2, 0]]) equal(peer.ring(id, vector), false);
  peer.close();
  equal(peer.ring(0, 0), false);
});

peerTest("hears of joins and leaves; who hears of a leave gets the eventfds", () => {
  using server = new ScriptedServer();
  server.greets(0);
  const peer = server.peer();
  const eventfds = [server.saysVector(5), server.saysVector(5)];
  deepEqual(peer.poll(), [{ kind: "joined", id: 5 }]);
  ok(isSameEventfd(peer.others.get(5)![1], eventfds[1]));
  server.says(5);
  const [left] = peer.poll();
  ok(left.kind === "left" && left.id === 5 && left.eventfds.length === 2);
  equal(peer.others.size, 0);
  equal(peer.ring(5, 0), false);
  for (const fd of left.eventfds) equal(shim.shim_fd_close(fd), 0, "it was still open");
  peer.close();
});

peerTest("knows an id's second owner from its first", () => {
  using server = new ScriptedServer();
  server.greets(0);
  const peer = server.peer();
  server.saysVector(5);
  server.says(5);
  const second = server.saysVector(5);
  const events = peer.poll();
  deepEqual(events.map(({ kind }) => kind), ["joined", "left", "joined"]);
  const fds = peer.others.get(5)!;
  ok(fds.length === 1 && isSameEventfd(fds[0], second));
  peer.close();
  const [, left] = events;
  if (left.kind === "left") { for (const fd of left.eventfds) shim.shim_fd_close(fd); }
});

peerTest("takes vectors that come late, also own ones", () => {
  using server = new ScriptedServer();
  server.greets(0, [1]);
  const peer = server.peer();
  server.saysVector(0);
  server.saysVector(1);
  deepEqual(peer.poll(), []);
  deepEqual([peer.vectors.length, peer.others.get(1)!.length], [3, 3]);
  peer.close();
});

peerTest(
  "waits longer for own vectors while others have more, or more are known to be given",
  () => {
    const took = [[2, 1], [2, 3], [4, 1]].map(([others, known]) => {
      using server = new ScriptedServer();
      server.saysMemory(1);
      for (let i = 0; i < others; i++) server.saysVector(0);
      for (let i = 0; i < 2; i++) server.saysVector(1);
      const start = performance.now();
      Peer.over(server.client, server.path, known)!.close();
      return performance.now() - start;
    });
    deepEqual(took.map((milliseconds) => milliseconds > 290), [false, true, true], `${took} ms`);
  },
);

peerTest("goes on when the server is gone, and says so once", () => {
  using server = new ScriptedServer();
  const vectors = server.greets(1, [0]);
  const peer = server.peer();
  server.closes();
  deepEqual(peer.poll(), [{ kind: "server-gone", reason: "the connection is closed" }]);
  deepEqual(peer.poll(), []);
  deepEqual([peer.isConnected, peer.socket], [false, -1]);
  equal(peer.ring(0, 0), true);
  equal(shim.shim_eventfd_drain(vectors.get(0)![0]), 1);
  peer.close();
});

peerTest(
  "ignores a leave of someone it never heard of, as QEMU's server sends without vectors",
  () => {
    using server = new ScriptedServer();
    server.says(0);
    server.says(0);
    server.says(-1, server.memoryFd);
    const peer = server.peer();
    deepEqual([peer.vectors, [...peer.others]], [[], []]);
    server.says(1);
    deepEqual(peer.poll(), []);
    ok(peer.isConnected);
    peer.close();
  },
);

peerTest("closed twice closes nothing that is another's", () => {
  using server = new ScriptedServer();
  server.greets(1, [0]);
  const peer = server.peer();
  peer.close();
  const reused = Array.from({ length: 12 }, () => shim.shim_eventfd());
  peer.close();
  for (const fd of reused) equal(shim.shim_fd_close(fd), 0);
});

peerTest("is none where nobody listens, or the server closes before it speaks", () => {
  using folder = new Folder();
  equal(Peer.connect(`${folder.path}/none`), undefined);
  equal(Peer.connect(`${folder.path}/none/none`), undefined);
  shim.shim_fd_close(shim.shim_unix_listen(cString(`${folder.path}/dead`)));
  equal(Peer.connect(`${folder.path}/dead`), undefined);
  Deno.writeTextFileSync(`${folder.path}/file`, "");
  equal(Peer.connect(`${folder.path}/file`), undefined);
  equal(Peer.connect(`${folder.path}/file/x`), undefined);
  using server = new ScriptedServer();
  server.closes();
  equal(Peer.over(server.client, server.path), undefined);
});

peerTest("closes the eventfds of one who leaves while we are greeted", () => {
  using server = new ScriptedServer();
  server.greets(1, [0]);
  server.says(0);
  const peer = server.peer();
  equal(peer.others.size, 0);
  peer.close();
});
