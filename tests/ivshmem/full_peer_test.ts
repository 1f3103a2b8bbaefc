import { deepEqual, equal, throws } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { Peer } from "../../app/ivshmem/peer.ts";
import { fileTest } from "../ffi/folder.ts";
import { ScriptedServer } from "./scripted_server.ts";

/** Do something while this process may open no more files. */
function whileFull(work: () => void): void {
  const first = shim.shim_eventfd();
  const fds = [first]; // the others are copies, which take no memory
  try {
    for (let fd = first + 1;; fd++) {
      if (shim.shim_fd_same(first, fd) >= 0) continue; // somebody's
      if (shim.shim_fd_copy(first, fd) < 0) break;
      fds.push(fd);
    }
    work();
  } finally {
    for (const fd of fds) shim.shim_fd_close(fd);
  }
}

fileTest("A peer that may open no more files says so, not that its server is none", () => {
  using server = new ScriptedServer();
  server.greets(1);
  const refused = {
    name: "ShimError",
    message: `Cannot join the region of ${server.path} as the kernel says EMFILE: raise the ` +
      "limit of open files (ulimit -n)",
  };
  whileFull(() => throws(() => Peer.over(server.client, server.path), refused));
});

fileTest("A peer that may open no more files keeps the place of each vector of the others", () => {
  using server = new ScriptedServer();
  server.greets(1, [0]);
  const peer = server.peer();
  server.saysVector(0);
  server.saysVector(2);
  whileFull(() => deepEqual(peer.poll(), [{ kind: "joined", id: 2 }]));
  const last = server.saysVector(0);
  deepEqual(peer.poll(), []);
  deepEqual([...peer.others.keys()], [0, 2]);
  deepEqual([0, 1, 2, 3, 4].map((vector) => peer.ring(0, vector)), [
    true,
    true,
    false,
    true,
    false,
  ]);
  equal(shim.shim_eventfd_drain(last), 1);
  equal(peer.ring(2, 0), false);
  server.says(2);
  deepEqual(peer.poll(), [{ kind: "left", id: 2, eventfds: [-1] }]);
  peer.close();
});

fileTest("A peer that may not open a late vector of its own leaves its server", () => {
  using server = new ScriptedServer();
  server.greets(1);
  const peer = server.peer();
  server.saysVector(1);
  const reason = "we may open no more files (ulimit -n)";
  whileFull(() => deepEqual(peer.poll(), [{ kind: "server-gone", reason }]));
  equal(peer.vectors.length, 2);
  peer.close();
});
