import { equal, rejects } from "node:assert/strict";
import { CulvertError } from "../../ffi/error.ts";
import { ANOTHER_SERVER_CODE } from "../../app/ivshmem/server_report.ts";
import { entrust, releaseServer, serve } from "../../app/linux/keeper.ts";
import { ServerStart } from "../../app/region/server_start.ts";

/** What a server says once it is ready, and before it reports that. */
const READY = "culvert server: /run/culvert/red.sock is ready: 1 MiB";

/**
 * Commands of a shell: what a server reports, as one number of 64 bits on descriptor 4. Deno takes
 * longer to start than the keeper to answer on that socket; a shell may not.
 */
const FAILED = String.raw`sleep 0.2; printf '\377\377\377\377\377\377\377\377' >&4`;
const ANOTHER = String.raw`sleep 0.2; printf '\376\377\377\377\377\377\377\377' >&4`;

/** The words of a shell: say these lines on stderr. */
function say(...lines: string[]): string {
  return lines.map((line) => `echo "${line}" >&2`).join("; ");
}

/** Why a server that is this shell script does not start. */
async function failureOf(...script: string[]): Promise<CulvertError> {
  const socket = "/run/culvert/test-server-start.sock";
  entrust({ servers: new Map([[socket, ["/", "/bin/sh", "-c", script.join("; ")]]]) });
  const start = new ServerStart(serve(socket));
  try {
    await rejects(start.ready(), CulvertError);
    return start.failure;
  } finally {
    start.close();
    releaseServer(socket);
  }
}

Deno.test("ServerStart tells the last words of a server that has reported an error", async () => {
  const why = "Cannot listen at red as another server answers there";
  const { message, code } = await failureOf(ANOTHER, say(`culvert server: ${why}`));
  equal(message, why);
  equal(code, ANOTHER_SERVER_CODE);
});

Deno.test("ServerStart tells them under its own if they do not say what cannot be done", async () => {
  const { message } = await failureOf(FAILED, say(READY, "culvert server: the disk is full"));
  equal(message, "Cannot start a server as it ended: the disk is full");
});

Deno.test("ServerStart quotes nothing that a server said before it was killed", async () => {
  const { message, code } = await failureOf(say(READY));
  equal(message, "Cannot start a server as it ended");
  equal(code, undefined);
});

Deno.test("ServerStart quotes Deno if a server has crashed", async () => {
  const { message } = await failureOf(say(READY, "error: Module not found"));
  equal(message, "Cannot start a server as it ended: error: Module not found");
});
