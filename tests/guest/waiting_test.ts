import { equal, match, throws } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { SILENT_SERVER_CODE } from "../../app/ivshmem/greeting.ts";
import { Peer } from "../../app/ivshmem/peer.ts";
import { fileTest } from "../ffi/folder.ts";
import { ScriptedServer } from "../ivshmem/scripted_server.ts";
import { Pair } from "./guest_pair.ts";

/** Joins a server that listens, and says so little. */
function joinSilent({ path }: ScriptedServer): void {
  Peer.connect(path, 1, 1)?.close();
}

const SILENT = new RegExp(
  `^waiting for the server: Cannot use /.*/socket as its server \\(process ${Deno.pid}\\) does not ` +
    "answer: its version did not come within 1 s; see whether",
);

fileTest("Guest that waits for its region also waits for a server that does not answer yet", () => {
  using server = new ScriptedServer();
  using pair = new Pair();
  pair.isThere = false;
  pair.turns(1);
  pair.opening = () => joinSilent(server);
  pair.turns(10);
  equal(pair.log.length, 2, "it says so once");
  match(pair.log[1], SILENT);
  Object.assign(pair, { opening() {}, isThere: true });
  pair.turns(4);
  equal(pair.host.guest.state, GUEST_STATE.RUNNING);
  shim.shim_fd_close(server.client);
});

fileTest(
  "Guest that was attached waits for a server that does not answer yet, longer than 3 s",
  () => {
    using server = new ScriptedServer();
    using pair = new Pair();
    pair.turns(4);
    pair.opening = () => joinSilent(server);
    pair.host.supervisor.close("is cut off");
    pair.turns(400); // more than fit into the server's queue, too
    const said = pair.log.filter((line) => line.startsWith("waiting"));
    match(said[0], SILENT);
    match(said[1], /^waiting for the server: .*\/socket as its server does not answer: more wait /);
    equal(said.length, 2);
    pair.opening = () => {};
    pair.turns(4);
    equal(pair.host.guest.state, GUEST_STATE.RUNNING);
    shim.shim_fd_close(server.client);
  },
);

fileTest(
  "Guest ends if a server does not answer at its first look, or speaks another version later",
  () => {
    using server = new ScriptedServer();
    using first = new Pair();
    first.opening = () => joinSilent(server);
    throws(() => first.turns(1), { code: SILENT_SERVER_CODE });

    using pair = new Pair();
    pair.turns(4);
    server.says(1);
    pair.opening = () => Peer.over(server.client, server.path);
    pair.host.supervisor.close("is cut off");
    throws(() => pair.turns(10), { name: "CulvertError", message: /it speaks version 1$/ });
  },
);
