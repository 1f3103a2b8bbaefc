import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { SILENT_SERVER_CODE } from "../../app/ivshmem/greeting.ts";
import { Peer } from "../../app/ivshmem/peer.ts";
import { ScriptedServer } from "./scripted_server.ts";
import { peerTest } from "./peer_leaks.ts";

/** What our id is in the greetings below. */
const ID = 1;

for (
  const [what, speak] of [
    ["its version", (s) => s.says(0)],
    ["our id", (s) => s.saysId(ID)],
    ["the memory", (s) => s.saysMemory(ID)],
    ["another's vectors", (s) => {
      s.saysMemory(ID);
      s.saysVector(0);
    }],
    ["one of our vectors", (s) => {
      s.saysMemory(ID);
      s.saysVector(1);
    }],
  ] as [string, (server: ScriptedServer) => void][]
) {
  peerTest(`is none of a server that is killed behind ${what}: another may take its place`, () => {
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
      s.saysId(ID);
      s.says(-1);
    }, "it sent -1 with no descriptor where -1 with the memory is wanted$"],
    ["vectors before the memory", (s) => {
      s.saysId(ID);
      s.saysVector(1);
    }, "it sent 1 with a descriptor where -1 with the memory is wanted$"],
    ["memory twice", (s) => {
      s.saysMemory(ID);
      s.says(-1, s.memoryFd);
    }, "it sent memory once more$"],
    ["a vector of 65536", (s) => {
      s.saysMemory(ID);
      s.saysVector(65536);
    }, "it sent the id 65536 where 0 to 65535 are ids$"],
    ["that we have left", (s) => {
      s.saysMemory(ID);
      s.says(1);
    }, "it says that we, peer 1, have left"],
  ] as [string, (server: ScriptedServer) => void, string][]
) {
  peerTest(`refuses a server that sends ${what}`, () => {
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

for (
  const [what, speak] of [["nothing", () => {}], [
    "no memory",
    (s: ScriptedServer) => s.saysId(ID),
  ]] as const
) {
  peerTest(
    `says of a server that sends ${what} that it does not answer, and which process it is`,
    () => {
      using server = new ScriptedServer();
      speak(server);
      const error = { name: "CulvertError", code: SILENT_SERVER_CODE, message: SLOW };
      throws(() => Peer.over(server.client, server.path), error);
    },
  );
}

peerTest("says the same of a server for which so many wait that nobody else may", () => {
  using server = new ScriptedServer();
  const waiting = [server.client];
  for (let i = 0; i < 65; i++) {
    waiting.push(check(shim.shim_unix_connect(cString(server.path), 10), "connect"));
  }
  throws(() => Peer.connect(server.path, 1, 10), {
    code: SILENT_SERVER_CODE,
    message: `Cannot use ${server.path} as its server does not answer: its queue of connections ` +
      "is full; see whether it is stopped, or no ivshmem server",
  });
  for (const socket of waiting) shim.shim_fd_close(socket);
});

peerTest("waits for a server as long as it is told to", () => {
  using server = new ScriptedServer();
  const start = performance.now();
  throws(() => Peer.connect(server.path, 1, 100), { message: /did not come within 1 s/ });
  ok(performance.now() - start < 1500);
  shim.shim_fd_close(server.client);
});

peerTest("refuses memory of no size, such as a socket", () => {
  using server = new ScriptedServer();
  server.saysId(ID);
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
  peerTest(`lets go of a server that sends ${what} later, and goes on`, () => {
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

peerTest("refuses half a message", () => {
  using server = new ScriptedServer();
  server.saysHalf();
  throws(() => server.peer(), {
    name: "CulvertError",
    message: /: the connection is broken where its version is wanted$/,
  });
});

peerTest("lets go of a server that sends half a message later, or vectors without end", () => {
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
