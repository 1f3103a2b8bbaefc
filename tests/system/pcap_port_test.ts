import assert from "node:assert/strict";
import { CaptureReader } from "../../app/capture/capture_reader.ts";
import { CaptureWriter } from "../../app/capture/capture_writer.ts";
import { Lab, until } from "../kit/lab.ts";

/** The whole frames of a capture, in hexadecimal; it may be written meanwhile. */
function framesOf(path: string): string[] {
  using file = Deno.openSync(path);
  const reader = new CaptureReader(file, path);
  const frames: string[] = [];
  try {
    for (let frame; (frame = reader.next());) frames.push(frame.bytes.toHex());
  } catch (error) {
    if (!(error as Error).message.includes("it was cut off")) throw error;
  }
  return frames;
}

Deno.test("A host replays a capture to a late guest, and writes what it sends, over changes, too", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "culvert-pcap-" });
  await using lab = await Lab.open();
  const [input, output] = [`${dir}/in.pcap`, `${dir}/out.pcapng`];
  {
    using file = Deno.openSync(input, { write: true, create: true });
    const writer = new CaptureWriter(file);
    for (let i = 0; i < 5_000; i++) {
      const bytes = crypto.getRandomValues(new Uint8Array(60 + i % 1455));
      writer.write({ bytes, wireBytes: bytes.length, port: 0, time: BigInt(i) });
    }
    writer.flush();
  }
  const host = await lab.startHost([
    ...["--port", `pcap:${input},rate=4k`, "--port", `pcap:,w=${output}`, "--ring-size", "4096"],
    ...["--control", lab.region],
  ]);
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  const more = `pcap:${input},rate=1,w=${dir}/more.pcapng`;
  for (const verb of ["add", "del"]) {
    const { code, stderr } = await lab.culvert("ctl", [lab.region, "port", verb, more]).ended();
    assert.equal(code, 0, stderr);
  }
  await until(() => framesOf(output).length === 5_000);
  await guest.stop();
  const { received, forwarded } = await lab.finishHost(host);
  assert.deepEqual([received, forwarded], [5_000, 5_000]);
  assert.deepEqual(framesOf(output), framesOf(input));
  await lab.run("tshark", "-r", output, "-c", "1");
  const refused = await lab.host(["--port", "pcap:/no/such.pcap"]).ended();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /Cannot open capture \/no\/such.pcap as the kernel says ENOENT/);
  Deno.removeSync(dir, { recursive: true });
});
