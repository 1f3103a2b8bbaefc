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

const WAITS =
  /^waiting for the server: .*\/socket as its server does not answer: its queue of connections is full/;

for (
  const [what, isAttached, says] of [
    ["waits for its region", false, [SILENT]],
    ["was attached", true, [SILENT, WAITS]], // more look there than its queue has room for
  ] as const
) {
  fileTest(
    `Guest that ${what} waits for a server that does not answer yet, and says it once`,
    () => {
      using server = new ScriptedServer();
      using pair = new Pair();
      pair.isThere = isAttached;
      pair.turns(4);
      const before = pair.log.length;
      pair.opening = () => joinSilent(server);
      if (isAttached) pair.host.supervisor.close("is cut off");
      pair.turns(isAttached ? 400 : 10);
      const said = pair.log.slice(before).filter((line) => line.startsWith("waiting"));
      says.forEach((expected, i) => match(said[i], expected));
      equal(said.length, says.length);
      Object.assign(pair, { opening() {}, isThere: true });
      pair.turns(4);
      equal(pair.host.guest.state, GUEST_STATE.RUNNING);
      shim.shim_fd_close(server.client);
    },
  );
}

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
