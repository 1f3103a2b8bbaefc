import assert from "node:assert/strict";
import { frame } from "../../app/testing.ts";
import { pcapFile } from "../capture/capture_files.ts";
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

/** A function that never returns, in a folder of its own. */
class Never implements AsyncDisposable {
  private constructor(readonly folder: string, readonly file: string) {}

  static async write(): Promise<Never> {
    const folder = await Deno.makeTempDir({ prefix: "culvert-test-" });
    await Deno.writeTextFile(`${folder}/never.ts`, "export default () => { for (;;); };\n");
    return new Never(folder, `${folder}/never.ts`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

Deno.test("culvert try says that a function does not return", async () => {
  await using lab = await Lab.open();
  await using never = await Never.write();
  const capture = `${never.folder}/in.pcap`;
  await Deno.writeFile(capture, pcapFile(true, true, [{ time: 0n, bytes: frame.udp() }]));
  const running = lab.culvert("try", [never.file, capture]);
  await running.stderrLine(/^culvert try: function never.ts has not returned for 1 s: Ctrl-C ends/);
});

Deno.test("culvert run leaves no region if its function does not return", async () => {
  await using lab = await Lab.open();
  await using never = await Never.write();
  const { a, b } = await lab.namespacePair();
  const running = lab.culvert("run", [...packetPorts(a, b), "--function", never.file, "-T", "0"]);
  await running.stderrLine(/function never.ts has not returned/);
  const [, region] = /region (\/dev\/shm\/\S+) is ready/.exec(running.stderr)!;
  assert.ok(exists(region));
  running.kill("SIGTERM");
  await pause(1200); // a signal so soon after the first would not be a second one
  assert.equal((await running.stop("SIGTERM")).code, 130);
  assert.ok(!exists(region));
});
