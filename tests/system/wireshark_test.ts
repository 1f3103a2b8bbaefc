/**
 * Captures of a running host, as Wireshark takes them: from a pipe, and by extcap.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { Lab, packetPorts, PATIENCE_MS, pause, testFrame, until } from "../kit/lab.ts";

Deno.test("A capture goes to stdout, for tshark; and ends when nobody reads any more", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const host = await lab.startHost(packetPorts(pair.a, pair.b));
  const { a } = await lab.wires(pair);
  const task = `${Deno.execPath()} task -q capture --region ${lab.region}`;
  const pipe = lab.start("sh", "-c", `${task} | tshark -l -c 2 -r - -T fields -e frame.len`);
  await pipe.stderrLine(/captures /);
  await until(async () => {
    await a.send(testFrame(99));
    return pipe.isOver;
  });
  const { code, stdout } = await pipe.ended();
  assert.equal(code, 0);
  assert.equal(stdout.slice(0, 6), "99\n99\n");
  await lab.stopHost(host);
});

Deno.test("Wireshark lists a region, and captures there with a filter, by extcap", async () => {
  const home = Deno.makeTempDirSync({ prefix: "culvert-home-" });
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const host = await lab.startHost(packetPorts(pair.a, pair.b));
  const { a } = await lab.wires(pair);
  const extcap = `${home}/.config/wireshark/extcap`;
  Deno.mkdirSync(extcap, { recursive: true });
  const root = fileURLToPath(new URL("../../", import.meta.url));
  const task = `exec ${Deno.execPath()} task -q --cwd ${root} extcap`;
  Deno.writeTextFileSync(`${extcap}/culvert`, `#!/bin/sh\n${task} "$@"\n`, { mode: 0o755 });
  const tshark = (...args: string[]) => lab.start("env", `HOME=${home}`, "tshark", ...args);
  const listed = await tshark("-D").ended();
  assert.match(listed.stdout, new RegExp(`culvert-${lab.region} \\(Culvert region ${lab.region}`));
  const capture = tshark(
    ...["-i", `culvert-${lab.region}`, "-f", "len = 77", "-c", "3", "-l"],
    ...["-T", "fields", "-e", "frame.len", "-e", "frame.interface_name"],
  );
  await capture.stderrLine(/Capturing/, 3 * PATIENCE_MS);
  const isThere = async () => {
    await a.send(testFrame(78));
    await a.send(testFrame(77));
    await pause(50);
    return capture.isOver;
  };
  await until(isThere, "tshark has three frames", 3 * PATIENCE_MS);
  const { code, stdout } = await capture.ended();
  assert.equal(code, 0);
  assert.equal(stdout, `77\t${pair.a.outer}\n`.repeat(3));
  await lab.stopHost(host);
  const gone = await tshark("-D").ended();
  assert.doesNotMatch(gone.stdout, new RegExp(lab.region));
  Deno.removeSync(home, { recursive: true });
});
