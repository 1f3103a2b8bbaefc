import assert from "node:assert/strict";
import { account, assertBalanced, exists, Lab, packetPorts, pause } from "../kit/lab.ts";

Deno.test("culvert run is a host and a guest in one process, which leave nothing", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const running = lab.culvert("run", [...packetPorts(a, b), "--function", "io", "-T", "0"]);
  await running.stderrLine(/guest: forwarding \(io\)/);
  await lab.inNamespace(a.netns, "ping", "-c", "3", "-i", "0.1", "-W", "5", b.ip4);
  const [, region] = /region (\/dev\/shm\/\S+) is ready/.exec(running.stderr)!;
  assert.ok(await exists(region));
  assertBalanced(account((await running.stop()).stdout));
  assert.ok(!await exists(region));
});

Deno.test("culvert run ends, and says why, if its host or its guest cannot begin", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  for (
    const [args, told] of [
      [["--port", "packet:none"], /Cannot open port packet:none/],
      [[...packetPorts(a, b), "--function", "none"], /Cannot use function none/],
      [["--port", `packet:${a.outer},queues=32`], /the host has \d+: name fewer queues$/m],
    ] as [string[], RegExp][]
  ) {
    const { code, stderr } = await lab.culvert("run", args).ended();
    assert.notEqual(code, 0);
    assert.match(stderr, told);
  }
});

Deno.test("culvert run leaves no region if its function does not return", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const folder = await Deno.makeTempDir({ prefix: "culvert-test-" });
  const file = `${folder}/never.ts`;
  await Deno.writeTextFile(file, "export default () => { for (;;); };\n");
  const running = lab.culvert("run", [...packetPorts(a, b), "--function", file, "-T", "0"]);
  await running.stderrLine(/function never.ts has not returned/);
  const [, region] = /region (\/dev\/shm\/\S+) is ready/.exec(running.stderr)!;
  assert.ok(exists(region));
  running.kill("SIGTERM");
  await pause(1200); // a signal so soon after the first would not be a second one
  assert.equal((await running.stop("SIGTERM")).code, 130);
  assert.ok(!exists(region));
  await Deno.remove(folder, { recursive: true });
});
