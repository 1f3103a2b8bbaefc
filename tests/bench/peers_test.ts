import { deepEqual, ok, rejects } from "node:assert/strict";
import { startOwnPath, startRtePath } from "../../bench/peers/c_path.ts";
import { mountHugepages } from "../../bench/peers/hugepages.ts";
import { startMemif } from "../../bench/peers/memif.ts";
import { startPacketForwarder } from "../../bench/peers/packet.ts";
import { RteMempool } from "../../bench/peers/rte_mempool.ts";
import { requirePrograms } from "../../bench/peers/requirements.ts";
import { measureRteRing, RteRing } from "../../bench/peers/rte_ring.ts";
import { startVhostUser } from "../../bench/peers/vhost_user.ts";
import { regionFile } from "../../bench/round_trip.ts";
import { pause } from "../kit/wait.ts";

const obstacle = await obstacleToPeers();
if (obstacle) console.error(`DPDK peers are not tested: ${obstacle}`);

/** Why no peer can run here; undefined if they can. */
async function obstacleToPeers(): Promise<string | undefined> {
  if (Deno.uid() !== 0) return "not root";
  if (navigator.hardwareConcurrency < 2) return "fewer than two cores";
  try {
    await requirePrograms("dpdk-testpmd", "cc", "pkg-config", "nsenter");
  } catch (error) {
    return (error as Error).message;
  }
}

/** What a peer might leave behind: hugepages, child processes, EAL's and our own files. */
async function traces(): Promise<unknown> {
  const names = (path: string) => {
    try {
      return [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    } catch {
      return [];
    }
  };
  const { stdout } = await new Deno.Command("ps", {
    args: ["-o", "comm=", "--ppid", String(Deno.pid)],
  }).output();
  const sockets = await Deno.readTextFile("/proc/net/unix");
  return {
    hugepages: await Deno.readTextFile("/proc/sys/vm/nr_hugepages"),
    children: new TextDecoder().decode(stdout).split("\n").filter((name) => name && name !== "ps"),
    eal: [...names("/run/dpdk"), ...names("/tmp/dpdk")],
    ours: names("/tmp").filter((name) => name.startsWith(`culvert-dpdk-${Deno.pid}-`)),
    sockets: sockets.split(`culvert-memif-${Deno.pid}`).length - 1,
  };
}

function peerTest(name: string, body: () => Promise<void>): void {
  Deno.test(`${name}, leaving nothing behind`, { ignore: obstacle !== undefined }, async () => {
    const before = await traces();
    await body();
    deepEqual(await traces(), before);
  });
}

peerTest("measureRteRing() times checked elements", async () => {
  const { nsPerElement } = await measureRteRing({ mode: "spsc", burst: 32, elements: 1e5 });
  ok(nsPerElement > 0.1 && nsPerElement < 1e5, `${nsPerElement} ns`);
});

peerTest(
  "RteRing.measure() knows each way of each mode, at the least and the most burst",
  async () => {
    await using ring = await RteRing.start();
    for (const mode of ["spsc", "mpmc", "hts", "rts"] as const) {
      for (const how of ["bulk", "zc"] as const) {
        if (how === "zc" && (mode === "mpmc" || mode === "rts")) continue;
        for (const burst of [1, 256]) {
          const { nsPerElement } = await ring.measure({ mode, how, burst, elements: 1e3 });
          ok(nsPerElement > 0.1, `${mode} ${how} ${burst}: ${nsPerElement} ns`);
        }
      }
    }
  },
);

peerTest("RteRing.measure() says what DPDK refuses", async () => {
  await using ring = await RteRing.start();
  const refused = (run: Parameters<RteRing["measure"]>[0], why: RegExp) =>
    rejects(ring.measure(run), { message: why });
  await refused({ mode: "spsc", burst: 257, elements: 1e3 }, /1\.\.256/);
  await refused({ mode: "spsc", burst: 32, elements: 1e3, ringSize: 1000 }, /no ring of 1000/);
  await refused({ mode: "mpmc", how: "zc", burst: 32, elements: 1e3 }, /no mode mpmc zc/);
});

for (const zeroCopy of [false, true]) {
  peerTest(`startMemif() with zero-copy ${zeroCopy} counts frames that came back`, async () => {
    await using memif = await startMemif({ frameBytes: 64, zeroCopy });
    for (let sample = 0; sample < 2; sample++) {
      const mpps = await memif.sample(0.2);
      ok(mpps > 0.01 && mpps < 200, `${mpps} Mpps`);
    }
  });
}

for (const generator of ["guest", "host"] as const) {
  peerTest(`startVhostUser() with the generator at the ${generator}'s end counts`, async () => {
    await using vhost = await startVhostUser({ frameBytes: 64, generator });
    const mpps = await vhost.sample(0.2);
    ok(mpps > 0.01 && mpps < 200, `${mpps} Mpps`);
  });
}

for (const isHuge of [false, true]) {
  const pages = isHuge ? "hugepages" : "pages of 4 KiB";
  peerTest(`The memory path in C, on ${pages}, brings frames back whole`, async () => {
    await using folder = isHuge ? await mountHugepages(16 << 20) : undefined;
    await using file = await regionFile(
      `${folder?.path ?? "/dev/shm"}/culvert-bench-${Deno.pid}`,
      16 << 20,
    );
    for (
      const start of [() => startOwnPath(file.path, 64), () => startRtePath(isHuge, 1500)]
    ) {
      await using path = await start();
      for (let sample = 0; sample < 2; sample++) {
        const mpps = await path.sample(0.1);
        ok(mpps > 0.01 && mpps < 500, `${mpps} Mpps`);
      }
    }
  });
}

peerTest("startMemif() that testpmd refuses throws its last words", async () => {
  await rejects(startMemif({ frameBytes: 64, zeroCopy: false, burst: 100_000 }), {
    message: /testpmd as it ended[^]*burst/,
  });
});

/** A namespace with two veth pairs, near ends `nearA` and `nearB`, far ends `farA` and `farB`. */
async function vethPairs(): Promise<AsyncDisposable & { namespace: string }> {
  const namespace = `culvert-peers-${Deno.pid}`;
  await ip(`netns add ${namespace}`);
  const lab = {
    namespace,
    [Symbol.asyncDispose]: async () => void await ip(`netns del ${namespace}`),
  };
  for (const side of ["A", "B"]) {
    await ip(`-n ${namespace} link add near${side} type veth peer name far${side}`);
    for (const end of [`near${side}`, `far${side}`]) {
      await ip(`-n ${namespace} link set ${end} addrgenmode none up`);
    }
  }
  return lab;
}

async function ip(line: string): Promise<string> {
  const output = await new Deno.Command("ip", { args: line.split(" ") }).output();
  ok(output.success, `ip ${line}: ${new TextDecoder().decode(output.stderr)}`);
  return new TextDecoder().decode(output.stdout);
}

peerTest("RteMempool.measure() times get and put, at the least and the most burst", async () => {
  await using mempool = await RteMempool.start();
  for (const [burst, held] of [[1, 1], [32, 2048], [256, 256]]) {
    const { nsPerObject } = await mempool.measure({ burst, held, objects: 100 * held });
    ok(nsPerObject > 0.01 && nsPerObject < 1e5, `${nsPerObject} ns`);
  }
  await rejects(mempool.measure({ burst: 257, held: 257, objects: 257 }), {
    message: /refused=want/,
  });
});

peerTest("startPacketForwarder() forwards between two veth ends in a namespace", async () => {
  await using lab = await vethPairs();
  const { namespace } = lab;
  await using forwarder = await startPacketForwarder({ namespace, ports: ["nearA", "nearB"] });
  {
    await using _load = await startPacketForwarder(
      { namespace, ports: ["farA"], mode: "txonly", core: 1 },
    );
    await pause(500);
  }
  const { rx, rxRate } = await forwarder.stats(0);
  ok(rx > 1000 && rxRate >= 0, `${rx} frames received`);
  const [link] = JSON.parse(await ip(`-n ${namespace} -s -j link show dev farB`));
  ok(link.stats64.rx.packets > 1000, `${link.stats64.rx.packets} frames delivered`);
});

peerTest("startPacketForwarder() names the interface that is not there", async () => {
  await rejects(startPacketForwarder({ ports: ["culvert-none"] }), { message: /culvert-none/ });
});

Deno.test("requirePrograms() names what is missing and the apt-get that brings it", async () => {
  const path = Deno.env.get("PATH")!;
  const shell = await Deno.makeTempDir();
  await Deno.symlink("/bin/sh", `${shell}/sh`);
  Deno.env.set("PATH", shell);
  try {
    await rejects(requirePrograms("dpdk-testpmd", "cc"), {
      message: /missing: dpdk-testpmd, cc\.[^]*apt-get install .*dpdk gcc libc6-dev/,
    });
  } finally {
    Deno.env.set("PATH", path);
    await Deno.remove(shell, { recursive: true });
  }
});
