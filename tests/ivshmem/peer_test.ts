import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { SILENT_SERVER_CODE } from "../../app/ivshmem/greeting.ts";
import { Peer } from "../../app/ivshmem/peer.ts";
import { fileTest, Folder } from "../ffi/folder.ts";
import { MEMORY_BYTES, ScriptedServer } from "./scripted_server.ts";
import { isSameEventfd } from "./server_lab.ts";

/**
 * The descriptors that are open, by asking for the lowest free ones: one that was leaked is
 * missing.
 */
function lowestFree(): number[] {
  const fds = Array.from({ length: 64 }, () => shim.shim_eventfd());
  for (const fd of fds) shim.shim_fd_close(fd);
  return fds;
}

/** A test that must give back all descriptors. */
function test(name: string, fn: () => void): void {
  fileTest(`Peer ${name}`, () => {
    const before = lowestFree();
    fn();
    deepEqual(lowestFree(), before, "a descriptor is left open");
  });
}

test("takes what QEMU's server sends a newcomer, in its order", () => {
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

test("rings the vector that is meant, and no other", () => {
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

test("hears of joins and leaves; who hears of a leave gets the eventfds", () => {
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

test("knows an id's second owner from its first", () => {
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

test("takes vectors that come late, also own ones", () => {
  using server = new ScriptedServer();
  server.greets(0, [1]);
  const peer = server.peer();
  server.saysVector(0);
  server.saysVector(1);
  deepEqual(peer.poll(), []);
  deepEqual([peer.vectors.length, peer.others.get(1)!.length], [3, 3]);
  peer.close();
});

test("waits longer for own vectors while others have more, or more are known to be given", () => {
  const took = [[2, 1], [2, 3], [4, 1]].map(([others, known]) => {
    using server = new ScriptedServer();
    middle(server);
    for (let i = 0; i < others; i++) server.saysVector(0);
    for (let i = 0; i < 2; i++) server.saysVector(1);
    const start = performance.now();
    Peer.over(server.client, server.path, known)!.close();
    return performance.now() - start;
  });
  deepEqual(took.map((milliseconds) => milliseconds > 290), [false, true, true], `${took} ms`);
});

test("goes on when the server is gone, and says so once", () => {
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

test("ignores a leave of someone it never heard of, as QEMU's server sends without vectors", () => {
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
});

test("closed twice closes nothing that is another's", () => {
  using server = new ScriptedServer();
  server.greets(1, [0]);
  const peer = server.peer();
  peer.close();
  const reused = Array.from({ length: 12 }, () => shim.shim_eventfd());
  peer.close();
  for (const fd of reused) equal(shim.shim_fd_close(fd), 0);
});

test("is none where nobody listens, or the server closes before it speaks", () => {
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

const start = (server: ScriptedServer) => {
  server.says(0);
  server.says(1);
};
const middle = (server: ScriptedServer) => {
  start(server);
  server.says(-1, server.memoryFd);
};
for (
  const [what, speak] of [
    ["its version", (s) => s.says(0)],
    ["our id", start],
    ["the memory", middle],
    ["another's vectors", (s) => {
      middle(s);
      s.saysVector(0);
    }],
    ["one of our vectors", (s) => {
      middle(s);
      s.saysVector(1);
    }],
  ] as [string, (server: ScriptedServer) => void][]
) {
  test(`is none of a server that is killed behind ${what}: another may take its place`, () => {
    using server = new ScriptedServer();
    speak(server);
    server.closes();
    equal(Peer.over(server.client, server.path), undefined);
  });
}

const SLOW = new RegExp(
  `as its server \\(process ${Deno.pid}\\) does not answer: .* did not come within 2 s; see whether it ` +
    "is stopped, or no ivshmem server$",
);

for (
  const [what, speak, reason] of [
    ["another version", (s) => s.says(1), "it speaks version 1$"],
    ["an old server's id", (s) => s.says(-1, s.memoryFd), "it sent its version with a descriptor"],
    [
      "a version with a descriptor",
      (s) => s.saysVector(0),
      "its version with a descriptor where none",
    ],
    ["an id with a descriptor", (s) => {
      s.says(0);
      s.saysVector(1);
    }, "it sent our id with a descriptor where none belongs$"],
    ...[-1, 65536, 2 ** 40, -(2 ** 40)].map((id) => [`${id} for an id`, (s: ScriptedServer) => {
      s.says(0);
      s.says(id);
    }, `it sent our id as ${id} where 0 to 65535 are ids$`]),
    ["memory without a descriptor", (s) => {
      start(s);
      s.says(-1);
    }, "it sent -1 with no descriptor where -1 with the memory is wanted$"],
    ["vectors before the memory", (s) => {
      start(s);
      s.saysVector(1);
    }, "it sent 1 with a descriptor where -1 with the memory is wanted$"],
    ["memory twice", (s) => {
      middle(s);
      s.says(-1, s.memoryFd);
    }, "it sent memory once more$"],
    ["a vector of 65536", (s) => {
      middle(s);
      s.saysVector(65536);
    }, "it sent the id 65536 where 0 to 65535 are ids$"],
    ["that we have left", (s) => {
      middle(s);
      s.says(1);
    }, "it says that we, peer 1, have left"],
  ] as [string, (server: ScriptedServer) => void, string][]
) {
  test(`refuses a server that sends ${what}`, () => {
    using server = new ScriptedServer();
    speak(server);
    throws(() => Peer.over(server.client, server.path), (error: Error) => {
      equal(error.name, "CulvertError");
      const begin =
        `Cannot use ${server.path} as its server does not speak ivshmem protocol version 0: `;
      ok(error.message.startsWith(begin), error.message);
      ok(new RegExp(reason).test(error.message), error.message);
      return true;
    });
  });
}

for (const [what, speak] of [["nothing", () => {}], ["no memory", start]] as const) {
  test(`says of a server that sends ${what} that it does not answer, and which process it is`, () => {
    using server = new ScriptedServer();
    speak(server);
    const error = { name: "CulvertError", code: SILENT_SERVER_CODE, message: SLOW };
    throws(() => Peer.over(server.client, server.path), error);
  });
}

test("says the same of a server for which so many wait that nobody else may", () => {
  using server = new ScriptedServer();
  const waiting = [server.client];
  for (let i = 0; i < 65; i++) {
    waiting.push(check(shim.shim_unix_connect(cString(server.path), 10), "connect"));
  }
  throws(() => Peer.connect(server.path, 1, 10), {
    code: SILENT_SERVER_CODE,
    message: `Cannot use ${server.path} as its server does not answer: more wait for it than it ` +
      "lets wait; see whether it is stopped, or no ivshmem server",
  });
  for (const socket of waiting) shim.shim_fd_close(socket);
});

test("waits for a server as long as it is told to", () => {
  using server = new ScriptedServer();
  const start = performance.now();
  throws(() => Peer.connect(server.path, 1, 100), { message: /did not come within 1 s/ });
  ok(performance.now() - start < 1500);
  shim.shim_fd_close(server.client);
});

test("refuses memory of no size, such as a socket", () => {
  using server = new ScriptedServer();
  start(server);
  server.saysVector(-1);
  throws(() => server.peer(), {
    name: "CulvertError",
    message: `Cannot use ${server.path} as the memory that it hands out has no bytes: is it an ` +
      "ivshmem server?",
  });
});

for (
  const [what, speak, reason] of [
    ["memory again", (s) => s.says(-1, s.memoryFd), "it sent memory once more"],
    ["an id of 70000", (s) => s.saysVector(70000), "it sent the id 70000 where 0 to 65535 are ids"],
    [
      "that we have left",
      (s) => s.says(1),
      "it says that we, peer 1, have left",
    ],
  ] as [string, (server: ScriptedServer) => void, string][]
) {
  test(`lets go of a server that sends ${what} later, and goes on`, () => {
    using server = new ScriptedServer();
    const vectors = server.greets(1, [0]);
    const peer = server.peer();
    speak(server);
    deepEqual(peer.poll(), [{ kind: "server-gone", reason }]);
    equal(peer.ring(0, 0), true);
    equal(shim.shim_eventfd_drain(vectors.get(0)![0]), 1);
    peer.close();
  });
}

test("closes the eventfds of one who leaves while we are greeted", () => {
  using server = new ScriptedServer();
  server.greets(1, [0]);
  server.says(0);
  const peer = server.peer();
  equal(peer.others.size, 0);
  peer.close();
});

test("refuses half a message", () => {
  using server = new ScriptedServer();
  server.saysHalf();
  throws(() => server.peer(), {
    name: "CulvertError",
    message: /: the connection is broken where its version is wanted$/,
  });
});

test("lets go of a server that sends half a message later, or vectors without end", () => {
  using half = new ScriptedServer();
  half.greets(0);
  const peer = half.peer();
  half.saysHalf();
  deepEqual(peer.poll(), [{ kind: "server-gone", reason: "the connection is broken" }]);
  peer.close();

  using endless = new ScriptedServer();
  endless.greets(0);
  const flooded = endless.peer();
  const events = [];
  for (let i = 0; i < 21; i++) {
    for (let j = 0; j < 100; j++) if (flooded.isConnected) endless.says(1, endless.memoryFd);
    events.push(...flooded.poll());
  }
  deepEqual(events, [
    { kind: "joined", id: 1 },
    { kind: "server-gone", reason: "it sent more than 2048 vectors of peer 1" },
  ]);
  flooded.close();
});
