/**
 * A server ends and another comes: hosts, guests and clients join it if it has the same memory.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Peer } from "../../app/ivshmem/peer.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { Lab, pause, type Running, testFrame, until } from "../kit/lab.ts";

/** A server that an operator has started. */
async function serve(lab: Lab, path: string, ...args: string[]): Promise<Running> {
  const server = lab.culvert("server", ["-F", "-S", path, "-l", "16M", "-n", "4", ...args]);
  await server.stderrLine(/ is ready: /);
  return server;
}

function peersAt(path: string): number[] {
  const peer = Peer.connect(path)!;
  const ids = [...peer.others.keys()];
  peer.close();
  return ids;
}

Deno.test("host and guest find an operator's server again if it has the same memory, and only then", async () => {
  await using lab = await Lab.open();
  const path = socketPath(lab.newRegion()); // by path: no host of ours starts a server there
  const region = ["--region", path];
  const shm = lab.newPath().slice("/dev/shm/".length);
  const first = await serve(lab, path, "-M", shm);
  const host = await lab.startHost(["--port", "ring", "--mbufs", "1024", ...region]);
  const guest = await lab.startGuest(region);
  await first.stop("SIGKILL");
  for (const one of [host, guest]) await one.stderrLine(/the server is gone/);

  const other = await serve(lab, path);
  for (const one of [host, guest]) {
    await one.stderrLine(/another server answers at .*, with other memory: we stay in ours/);
  }
  await until(() => peersAt(path).length === 0);
  await other.stop();

  const second = await serve(lab, path, "-M", shm);
  for (const one of [host, guest]) await one.stderrLine(/the server is there again/);
  await until(() => peersAt(path).length === 2);
  await guest.stop("SIGKILL");
  await host.stderrLine(/guest 0 died: its connection to the server is closed/);
  const next = await lab.startGuest(region);
  assert.equal((await next.stop()).code, 0);
  await lab.stopHost(host);
  await second.stop();
});

Deno.test("a guest that joined after the server was lost wakes its host, and is woken, without naps", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await lab.forwarding(pair, { host: ["--idle", "sleep"] });
  for (let round = 0; round < 2; round++) {
    const peer = Peer.connect(socketPath(lab.region))!;
    peer.close();
    Deno.kill(peer.server.pid, "SIGKILL");
    for (const one of [host, guest]) await one.stderrLine(/the server is there again/);
  }
  assert.equal((await guest.stop()).code, 0);
  const next = lab.guest(["--no-mac-updating", "-T", "0", "--idle", "sleep"]);
  await next.stderrLine(/forwarding \(l2fwd\) on core \d+, ports: .*(?<!no doorbell)$/);
  const took: number[] = [];
  for (let i = 0; i < 15; i++) {
    const frame = testFrame(100, { seed: i });
    await pause(50 + 10 * i); // both sleep by then: for 0.25 s, were they not woken
    const start = performance.now();
    await wires.a.send(frame);
    await wires.b.arrived((found) => found === frame);
    took.push(performance.now() - start);
  }
  const median = took.toSorted((a, b) => a - b)[7];
  assert(median < 80, `frames took ${took.map(Math.round)} ms`);
  await lab.finish({ host, guest: next });
});

Deno.test("a host that starts anew and its guest wait for a server that does not answer yet", async () => {
  await using lab = await Lab.open();
  const name = lab.newRegion();
  const region = ["--region", name];
  const server = await serve(lab, socketPath(name));
  const host = await lab.startHost(["--port", "ring", "--mbufs", "1024", ...region]);
  const guest = await lab.startGuest(region);
  await server.freeze();
  await lab.stopHost(host);
  const next = lab.host(["--port", "ring", "--mbufs", "1024", ...region]);
  await guest.stderrLine(
    new RegExp(`waiting for the server: .*/${name}.sock as its server \\(process ${server.pid}\\)`),
  );
  await pause(2000); // more than a server is given by one who asks for the first time
  server.kill("SIGCONT");
  await next.stderrLine(/guest 0 attached/);
  await guest.stderrLine(/forwarding/);
  assert.equal((await guest.stop()).code, 0);
  await lab.stopHost(next);
  await server.stop();
});

Deno.test("culvert client finds its server again, and the peers that join it", async () => {
  await using lab = await Lab.open();
  const path = socketPath(lab.newRegion()); // by path: no host of ours starts a server there
  const shm = lab.newPath().slice("/dev/shm/".length);
  const first = await serve(lab, path, "-M", shm);
  const client = lab.culvert("client", ["-S", path, "-c", "wait 0 20"]);
  await until(() => peersAt(path).length === 1);
  await first.stop("SIGKILL");
  await client.stdoutLine(/^server gone/);
  const second = await serve(lab, path, "-M", shm);
  const [, id] = /we are peer (\d+)/.exec(await client.stdoutLine(/^server found again/))!;
  const rung = await lab.culvert("client", ["-S", path, "-c", `int ${id} 0`]).ended();
  assert.equal(rung.code, 0, rung.stdout);
  assert.equal((await client.ended()).code, 0, client.stdout);
  await second.stop();
});

Deno.test("A server that replaces another ends with its host, even if no peer joined it", async () => {
  await using lab = await Lab.open();
  const host = await lab.startHost(["--port", "ring"]);
  const peer = Peer.connect(socketPath(lab.region))!;
  peer.close();
  Deno.kill(peer.server.pid, "SIGKILL");
  await host.stderrLine(/the server is there again/);
  await lab.finishHost(host);
});

/** The processes that serve a socket, or are about to. */
function serversOf(path: string): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter((pid) => {
    try {
      const words = Deno.readTextFileSync(`/proc/${pid}/cmdline`).split("\0");
      return words.includes("server") && words.includes(path);
    } catch {
      return false; // it has just ended, or is no process
    }
  });
}

Deno.test("a server that is killed before it is ready is followed at once by another one, and the host says so", async () => {
  await using lab = await Lab.open();
  const host = lab.host(["--port", "ring"]);
  await host.stderrLine(/is ready/);
  const path = socketPath(lab.region);
  const [first] = serversOf(path);
  const start = performance.now();
  Deno.kill(first, "SIGKILL");
  const successor = () => serversOf(path).find((pid) => pid !== first);
  await until(() => successor() !== undefined, "a successor comes");
  Deno.kill(successor()!, "SIGKILL");
  await host.stderrLine(/Cannot start a server as it ended; the next one is started at once/);
  await host.stderrLine(/the server is there again/);
  const took = performance.now() - start;
  assert(took < 3000, `it took ${took} ms`);
  await lab.finishHost(host);
});
