import { equal, notEqual, ok } from "node:assert/strict";
import { cString, shim } from "../../ffi/shim.ts";
import { ConnectedSockets } from "./connected_sockets.ts";
import { fileTest } from "./folder.ts";
import { freshMemory } from "./fresh_memory.ts";

const EAGAIN = 11, EADDRINUSE = 98, ECONNREFUSED = 111, ECONNRESET = 104, ENAMETOOLONG = 36;
const ENOENT = 2, EPIPE = 32, EPROTO = 71;
const NONE = -1;

const value = new BigInt64Array(1);
const passed = new Int32Array(1);

fileTest("shim_unix_send() carries any int64, without a descriptor", () => {
  using sockets = new ConnectedSockets();
  for (const sent of [0n, -1n, 2n ** 63n - 1n, -(2n ** 63n), 0x0123456789abcdefn]) {
    equal(shim.shim_unix_send(sockets.server, sent, NONE), 0);
    equal(shim.shim_unix_receive(sockets.client, value, passed, 1), 0);
    equal(value[0], sent);
    equal(passed[0], NONE);
  }
});

fileTest("shim_unix_send() passes a descriptor with its number", () => {
  using sockets = new ConnectedSockets();
  const eventfd = sockets.add(shim.shim_eventfd());
  equal(shim.shim_unix_send(sockets.server, 7n, eventfd), 0);
  equal(shim.shim_unix_send(sockets.server, 8n, NONE), 0);
  equal(shim.shim_unix_receive(sockets.client, value, passed, 1), 0);
  equal(value[0], 7n);
  notEqual(passed[0], eventfd);
  const copy = sockets.add(passed[0]);
  shim.shim_eventfd_signal(copy);
  equal(shim.shim_eventfd_drain(eventfd), 1, "the copy is the same eventfd");
  equal(shim.shim_unix_receive(sockets.client, value, passed, 1), 0);
  equal(value[0], 8n);
  equal(passed[0], NONE);
});

fileTest("shim_unix_receive() gives EAGAIN when nothing comes in time", () => {
  using sockets = new ConnectedSockets(30);
  const start = shim.shim_clock();
  equal(shim.shim_unix_receive(sockets.client, value, passed, 1), -EAGAIN);
  const elapsed = (shim.shim_clock() - start) / 1e6;
  ok(elapsed >= 25 && elapsed < 1000, `${elapsed} ms`);
  equal(shim.shim_unix_receive(sockets.server, value, passed, 1), -EAGAIN, "and never blocks here");
  equal(
    shim.shim_unix_receive(sockets.client, value, passed, 0),
    -EAGAIN,
    "nor if it is not to wait",
  );
  equal(passed[0], NONE);
});

fileTest("shim_unix_receive() gives ECONNRESET when the peer is gone", () => {
  using sockets = new ConnectedSockets();
  const client = shim.shim_unix_connect(cString(sockets.path), 1000);
  const server = sockets.add(shim.shim_unix_accept(sockets.listener, 0));
  shim.shim_fd_close(client);
  equal(shim.shim_unix_receive(server, value, passed, 1), -ECONNRESET);
  equal(shim.shim_unix_send(server, 1n, NONE), -EPIPE, "and no SIGPIPE");
});

fileTest("shim_unix_receive() gives EPROTO for half a number", () => {
  using sockets = new ConnectedSockets(30);
  using memory = freshMemory(4096);
  shim.shim_map_cells(memory.map, 0n, 64, 1);
  memory.u32.set([0, 4 << 16], 16); // a descriptor
  equal(shim.shim_tap_tx(sockets.server, memory.map, memory.map, 16, 1, -1), 1);
  equal(shim.shim_unix_receive(sockets.client, value, passed, 1), -EPROTO);
});

fileTest("shim_unix_accept() gives EAGAIN when nobody knocks", () => {
  using sockets = new ConnectedSockets();
  equal(shim.shim_unix_accept(sockets.listener, 0), -EAGAIN);
});

fileTest(
  "shim_unix_listen() makes a path for its owner alone, and takes no second listener",
  () => {
    using sockets = new ConnectedSockets();
    equal(Deno.statSync(sockets.path).mode! & 0o777, 0o600);
    equal(shim.shim_unix_listen(cString(sockets.path)), -EADDRINUSE);
  },
);

fileTest("shim_unix_connect() tells a dead listener from none", () => {
  using sockets = new ConnectedSockets();
  const path = cString(`${sockets.folder.path}/other`);
  equal(shim.shim_unix_connect(path, 10), -ENOENT);
  shim.shim_fd_close(shim.shim_unix_listen(path));
  equal(shim.shim_unix_connect(path, 10), -ECONNREFUSED);
});

Deno.test("shim_unix_listen() and _connect() refuse a path of more than 107 bytes", () => {
  const path = cString("/tmp/".padEnd(108, "x"));
  equal(shim.shim_unix_listen(path), -ENAMETOOLONG);
  equal(shim.shim_unix_connect(path, 10), -ENAMETOOLONG);
});
