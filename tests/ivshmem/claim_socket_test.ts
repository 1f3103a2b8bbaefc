import { equal, rejects } from "node:assert/strict";
import { cString, shim } from "../../ffi/shim.ts";
import { claimSocket } from "../../app/ivshmem/claim_socket.ts";
import { Folder } from "../ffi/folder.ts";
import { OpenFiles } from "../ffi/open_files.ts";

const ignore = Deno.permissions.querySync({ name: "write", path: "/tmp" }).state !== "granted";

function test(name: string, fn: (path: string) => Promise<void>): void {
  Deno.test({
    name: `claimSocket() ${name}`,
    ignore,
    fn: async () => {
      using folder = new Folder();
      await fn(`${folder.path}/socket`);
    },
  });
}

function isThere(path: string): boolean {
  try {
    return Deno.lstatSync(path).isSocket === true;
  } catch {
    return false;
  }
}

test("listens at a path of mode 0600, and removes it in the end", async (path) => {
  const socket = await claimSocket(path);
  equal(Deno.lstatSync(path).mode! & 0o777, 0o600);
  socket.release();
  equal(isThere(path), false);
});

test("refuses a path where somebody answers, and leaves that one alone", async (path) => {
  const first = await claimSocket(path);
  await rejects(() => claimSocket(path), {
    name: "CulvertError",
    message: `Cannot listen at ${path} as another server answers there: stop that one, or use ` +
      "another -S",
  });
  equal(isThere(path), true);
  first.release();
});

test("takes the place of a socket where nobody answers any more", async (path) => {
  shim.shim_fd_close(shim.shim_unix_listen(cString(path)));
  equal(isThere(path), true);
  const socket = await claimSocket(path);
  const client = shim.shim_unix_connect(cString(path), 100);
  equal(client >= 0, true);
  shim.shim_fd_close(client);
  socket.release();
});

test("takes a server at which too many wait for one that is there", async (path) => {
  using files = new OpenFiles();
  files.add(shim.shim_unix_listen(cString(path)));
  for (let client; (client = shim.shim_unix_connect(cString(path), 20)) >= 0;) files.add(client);
  await rejects(() => claimSocket(path), {
    name: "CulvertError",
    message: /another server answers/,
  });
});

test("removes no path that is another server's by now", async (path) => {
  const first = await claimSocket(path);
  Deno.removeSync(path);
  const second = await claimSocket(path);
  first.release();
  equal(isThere(path), true);
  second.release();
  equal(isThere(path), false);
  const third = await claimSocket(path);
  Deno.removeSync(path);
  third.release();
});

test("lets one of many have a dead socket's place", async (path) => {
  for (let round = 0; round < 20; round++) {
    shim.shim_fd_close(shim.shim_unix_listen(cString(path)));
    const claims = await Promise.allSettled(Array.from({ length: 5 }, () => claimSocket(path)));
    const winners = claims.filter(({ status }) => status === "fulfilled");
    equal(winners.length, 1);
    equal(isThere(path), true);
    for (const claim of claims) if (claim.status === "fulfilled") claim.value.release();
  }
});

test("removes no file that is no socket", async (path) => {
  Deno.writeTextFileSync(path, "precious");
  await rejects(() => claimSocket(path), {
    name: "CulvertError",
    message: `Cannot listen at ${path} as a file is there that is no socket: remove it, or use ` +
      "another -S",
  });
  equal(Deno.readTextFileSync(path), "precious");
});

test("refuses a path where it could not clean up", async () => {
  const path = "/dev/culvert-test/socket";
  const mayWrite = Deno.permissions.querySync({ name: "write", path }).state === "granted";
  const message = mayWrite
    ? /^Cannot lock the folder /
    : /run deno with --allow-read=\/dev\/culvert\S+ --allow-write=\/dev\/culvert/;
  await rejects(() => claimSocket(path), { name: /Error$/, message });
});

Deno.test({
  name: "claimSocket() does not wait at a FIFO, and leaves it there",
  ignore: Deno.permissions.querySync({ name: "run" }).state !== "granted",
  fn: async () => {
    using folder = new Folder();
    const path = `${folder.path}/socket`;
    new Deno.Command("mkfifo", { args: [path] }).outputSync();
    await rejects(() => claimSocket(path), {
      name: "CulvertError",
      message: /^Cannot listen at .* as a file is there that is no socket: /,
    });
    equal(Deno.lstatSync(path).isFifo, true);
  },
});
