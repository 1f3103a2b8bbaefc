/**
 * Captures of hosts that change, or are killed.
 *
 * @module
 */
import assert from "node:assert/strict";
import { exists, Lab, type Running, testFrame } from "../kit/lab.ts";

/** A capture of the lab's region that has begun. */
async function startCapture(lab: Lab, ...args: string[]): Promise<Running> {
  const running = lab.culvert("capture", ["--region", lab.region, ...args]);
  await running.stderrLine(/captures /);
  return running;
}

Deno.test("A capture outlives changes of its host, also of one that has become another user", async () => {
  await using lab = await Lab.open();
  const dir = await Deno.makeTempDir({ prefix: "culvert-capture-" });
  const pair = await lab.namespacePair({ quiet: true });
  const running = await lab.forwarding(pair, {
    host: ["--user", "nobody", "--control", lab.region],
  });
  const ctl = async (...words: string[]) => {
    const { code, stderr } = await lab.culvert("ctl", [lab.region, ...words]).ended();
    assert.equal(code, 0, stderr);
  };
  const capture = await startCapture(lab, "-w", `${dir}/a.pcapng`);
  await running.wires.a.send(testFrame(64, { seed: 1 }));
  await running.wires.b.arrived(() => true, 1);
  await ctl("port", "add", "ring:a", "--guest", "1");
  await capture.stderrLine(/port ring:a is new, and not in this capture/);
  const later = await startCapture(lab, "-w", `${dir}/b.pcapng`);
  await running.wires.b.send(testFrame(65, { seed: 2 }));
  await running.wires.a.arrived(() => true, 1);
  await ctl("port", "del", "ring:a");
  await later.stderrLine(/port ring:a is gone/);
  const [first, second] = [await capture.stop("SIGINT"), await later.stop("SIGINT")];
  assert.match(first.stderr, /4 frames captured, 0 of 4 lost/);
  assert.match(second.stderr, /2 frames captured, 0 of 2 lost/);
  await lab.finish(running);
  await Deno.remove(dir, { recursive: true });
});

Deno.test("What a killed host leaves for captures goes when a command meets it", async () => {
  await using lab = await Lab.open();
  const isLeft = () => exists(`/run/culvert/${lab.region}.capture`);
  for (
    const meet of [
      async () => {
        const { code, stderr } = await lab.culvert("capture", ["--region", lab.region]).ended();
        assert.equal(code, 1);
        assert.match(stderr, /Cannot capture at region \S+ as its host was killed: start it again/);
      },
      () => lab.culvert("extcap", ["--extcap-interfaces"]).ended(),
      async () => {
        const other = lab.newRegion();
        await lab.stopHost(await lab.startHost(["--port", "null:0", "--region", other]));
      },
    ]
  ) {
    const host = await lab.startHost(["--port", "null:0"]);
    assert(isLeft());
    await host.stop("SIGKILL");
    assert(isLeft());
    await meet();
    assert(!isLeft());
  }
});
