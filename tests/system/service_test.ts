import { deepEqual, equal, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { shim } from "../../ffi/shim.ts";
import { Peer } from "../../app/ivshmem/peer.ts";
import { Lab, type Running, until } from "../kit/lab.ts";

const MANAGER = fileURLToPath(new URL("../kit/service_manager.py", import.meta.url));

/** What a service has told its manager. */
interface Told {
  readonly pid: number;
  readonly main: boolean;
  readonly message: string;
  readonly fds: number;
}

/** Start a command of culvert's under a service manager that listens at `socket` for it. */
async function startService(
  lab: Lab,
  task: "host" | "server" | "guest",
  args: string[],
  socket = "-",
) {
  const folder = await Deno.makeTempDir({ prefix: "culvert-test-" });
  const under = ["python3", MANAGER, folder, socket];
  const service = lab.culvert(task, args, { under });
  const told = () =>
    service.stdout.split("\n").filter((line) => line.startsWith("{"))
      .map((line): Told => JSON.parse(line));
  return {
    service,
    told,
    tells: (message: string, times = 1) =>
      until(() => told().filter((one) => one.message.startsWith(message)).length >= times),
    async stop(signal: Deno.Signal = "SIGTERM") {
      const ended = await service.stop(signal);
      await Deno.remove(folder, { recursive: true });
      return ended;
    },
  };
}

/** What a region's member has mapped, to be closed. */
function join(path: string): Peer {
  const peer = Peer.connect(path);
  ok(peer, `nobody serves at ${path}`);
  return peer;
}

Deno.test("A server's next process goes on with the socket, the memory and the ids that its manager has kept", async () => {
  await using lab = await Lab.open();
  const path = `/run/culvert/${lab.newRegion()}.sock`;
  await Deno.mkdir("/run/culvert", { recursive: true, mode: 0o711 });
  const server = await startService(lab, "server", ["-F", "-S", path, "-l", "1M"], path);
  await server.tells("READY=1");
  const kept = server.told().filter(({ fds }) => fds > 0).map(({ message }) => message);
  deepEqual(kept, ["ids", "memory"].map((name) => `FDSTORE=1\nFDNAME=${name}\nFDPOLL=0`));

  const before = [join(path), join(path)];
  deepEqual(before.map(({ id }) => id), [0, 1]);
  Deno.kill(server.told()[0].pid, "SIGKILL");
  await server.tells("READY=1", 2);
  const after = join(path);
  equal(after.id, 2, "no id is given twice: QEMU would write to memory that it has freed");
  equal(shim.shim_fd_same(after.memoryFd, before[0].memoryFd), 1);
  deepEqual(server.told().filter(({ main }) => !main), []);
  for (const peer of [...before, after]) peer.close();
  const { code, stderr } = await server.stop();
  equal(code, 0, stderr);
  ok(server.told().some(({ message }) => message === "STOPPING=1"));
});

Deno.test("A server refuses a socket at which accepting would wait", async () => {
  await using lab = await Lab.open();
  const path = `/run/culvert/${lab.newRegion()}.sock`;
  await Deno.mkdir("/run/culvert", { recursive: true, mode: 0o711 });
  const text = await Deno.readTextFile(MANAGER);
  const blocking = await Deno.makeTempFile({ suffix: ".py" });
  await Deno.writeTextFile(blocking, text.replace("setblocking(False)", "setblocking(True)"));
  const folder = await Deno.makeTempDir({ prefix: "culvert-test-" });
  const under = ["python3", blocking, folder, path];
  const ended = await lab.culvert("server", ["-F", "-S", path], { under }).ended();
  equal(ended.code, 1);
  ok(ended.stderr.includes("NonBlocking=yes"), ended.stderr);
  await Deno.remove(blocking);
  await Deno.remove(folder, { recursive: true });
});

/** A host and a guest tell that they are ready, then that they live, then that they stop. */
async function assertWatched(
  service: Awaited<ReturnType<typeof startService>>,
  isReady: (running: Running) => Promise<unknown>,
): Promise<void> {
  await service.tells("READY=1");
  await isReady(service.service);
  await service.tells("WATCHDOG=1", 5);
}

Deno.test("A host and a guest tell their manager that they are ready, live and stop; what they start does not", async () => {
  await using lab = await Lab.open();
  const region = ["--region", lab.region];
  const host = await startService(lab, "host", ["--port", "null", "--port", "null", ...region]);
  await assertWatched(host, (running) => running.stderrLine(/is ready/));
  const guest = await startService(lab, "guest", region);
  await assertWatched(guest, (running) => running.stderrLine(/forwarding/));
  equal((await guest.stop()).code, 0);
  equal((await host.stop()).code, 0);
  for (const { told } of [host, guest]) {
    deepEqual(told().filter(({ main }) => !main), []);
    const lines = told().map(({ message }) => message.split("\n")[0]);
    equal(lines[0], "READY=1");
    equal(lines.filter((line) => line === "STOPPING=1").length, 1);
    equal(lines.filter((line) => line === "READY=1").length, 1);
  }
  ok(host.told()[0].message.includes("STATUS=forwarding: null, null"), host.told()[0].message);
});

Deno.test("A host that its manager takes for stuck is ended, and the next one goes on", async () => {
  await using lab = await Lab.open();
  const args = ["--port", "null", "--port", "null", "--region", lab.region];
  const host = await startService(lab, "host", args);
  await host.tells("READY=1");
  const guest = await lab.startGuest(["-T", "0"]);
  Deno.kill(host.told()[0].pid, "SIGKILL");
  await host.tells("READY=1", 2);
  await guest.stderrLine(/forwarding/);
  await guest.stop();
  equal((await host.stop()).code, 0);
});
