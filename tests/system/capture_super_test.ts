import assert from "node:assert/strict";
import { iperf } from "../kit/kernel_traffic.ts";
import { Lab, packetPorts } from "../kit/lab.ts";

Deno.test("Captures and mirrors have super-frames as they pass: whole, with their lengths on the wire", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "culvert-super-" });
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const span = lab.name("span");
  const mirror = ["--mirror", `${b.outer}=tap:${span}`];
  const host = await lab.startHost([...packetPorts(a, b), ...mirror]);
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  const seen = `${dir}/span.pcap`;
  const tcpdump = lab.start("tcpdump", "-i", span, "-s", "128", "-w", seen, "tcp");
  await tcpdump.stderrLine(/listening on/);
  const path = `${dir}/a.pcapng`;
  const capture = lab.culvert("capture", [
    ...["--region", lab.region, "-s", "128", "-f", "tcp port 5201", "-w", path],
  ]);
  await capture.stderrLine(/captures /);
  await iperf(lab, a, b, b.ip4, "-t", "2"); // all of it: a stream's first frames are short
  const { code, stderr } = await capture.stop();
  assert.equal(code, 0, stderr);
  await tcpdump.stop();
  for (const file of [path, seen]) {
    const long = ["-r", file, "-Y", "frame.len > 3000 && frame.cap_len == 128 && tcp.len > 2900"];
    const { stdout } = await lab.run("tshark", ...long, "-T", "fields", "-e", "ip.src");
    const sources = new Set(stdout.split("\n"));
    assert(sources.has(a.ip4), `${file}: ${stdout.length}`);
  }
  const { stdout } = await lab.run("tshark", "-r", path, "-T", "fields", "-e", "frame.len");
  assert(stdout.split("\n").some((length) => Number(length) > 20_000), "as long as they come");
  await guest.stop();
  await lab.stopHost(host);
  Deno.removeSync(dir, { recursive: true });
});
