/**
 * Captures of a running host, read by Wireshark's and tcpdump's programs.
 *
 * @module
 */
import assert from "node:assert/strict";
import { CaptureReader } from "../../app/capture/capture_reader.ts";
import type { CapturedFrame } from "../../app/capture/capture.ts";
import { processesNaming } from "../kit/processes.ts";
import { type Ended, Lab, packetPorts, pause, type Running, testFrame, until } from "../kit/lab.ts";

const CUSTOMER_TAG = "8100a064", SERVICE_TAG = "88a800c8";

/** A capture of the lab's region that has begun. */
async function startCapture(lab: Lab, args: string[], region = lab.region): Promise<Running> {
  const running = lab.culvert("capture", ["--region", region, ...args]);
  await running.stderrLine(/captures /);
  return running;
}

/** The nice level of a process's main thread: the 19th field of its stat, behind its name. */
function niceLevel(pid: number): number {
  const [, fields] = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ");
  return Number(fields.split(" ")[16]);
}

/** All frames of a file, and what stopped the reader. */
function framesOf(path: string): { frames: CapturedFrame[]; error?: string } {
  using file = Deno.openSync(path);
  const frames: CapturedFrame[] = [];
  try {
    const reader = new CaptureReader(file, path);
    for (let frame; (frame = reader.next());) frames.push(frame);
    return { frames };
  } catch (error) {
    return { frames, error: (error as Error).message };
  }
}

/** What tshark says of each frame: these fields. */
async function fields(lab: Lab, path: string, ...names: string[]): Promise<string[][]> {
  const args = names.flatMap((name) => ["-e", name]);
  const { stdout } = await lab.run("tshark", "-r", path, "-T", "fields", ...args);
  return stdout.replace(/\n$/, "").split("\n").map((line) => line.split("\t"));
}

function folder(): string & Disposable {
  const path = Deno.makeTempDirSync({ prefix: "culvert-capture-" });
  return Object.assign(path, {
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  });
}

async function ends(capture: Running): Promise<Ended> {
  const ended = await capture.stop("SIGINT");
  assert.equal(ended.code, 0, ended.stderr);
  return ended;
}

Deno.test("A capture has each frame before and behind the guest: port, direction, time, VLANs, bytes", async () => {
  using dir = folder();
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const running = await lab.forwarding(pair);
  const { a, b } = running.wires;
  const path = `${dir}/a.pcapng`;
  const capture = await startCapture(lab, ["-w", path]);
  const before = Date.now();
  const sent = [
    testFrame(64, { seed: 1 }),
    testFrame(100, { tags: CUSTOMER_TAG }),
    testFrame(1514, { tags: SERVICE_TAG + CUSTOMER_TAG }),
  ];
  for (const frame of sent) await a.send(frame);
  await b.arrived(() => true, 3);
  await b.send(testFrame(61, { seed: 4 }));
  await a.arrived(() => true, 1);
  const ended = await ends(capture);
  assert.match(ended.stderr, /8 frames captured, 0 of 8 lost/);

  const [first, second] = [pair.a.outer, pair.b.outer];
  const names = [
    "frame.interface_name",
    "frame.packet_flags_direction",
    "frame.len",
    "vlan.id",
    "ieee8021ad.id",
  ];
  assert.deepEqual(
    (await fields(lab, path, ...names)).sort(),
    [
      [first, "0x00000001", "64", "", ""],
      [first, "0x00000001", "100", "100", ""],
      [first, "0x00000001", "1514", "100", "200"],
      [first, "0x00000002", "61", "", ""],
      [second, "0x00000001", "61", "", ""],
      [second, "0x00000002", "64", "", ""],
      [second, "0x00000002", "100", "100", ""],
      [second, "0x00000002", "1514", "100", "200"],
    ].sort(),
  );
  const { frames, error } = framesOf(path);
  assert.equal(error, undefined);
  const way = (port: number, flags: number) =>
    frames.filter((frame) => frame.port === port && frame.flags === flags)
      .map(({ bytes }) => bytes.toHex());
  assert.deepEqual(way(0, 1), sent);
  assert.deepEqual(way(1, 2), sent);
  for (const { time } of frames) {
    const ms = Number(time / 1_000_000n);
    assert(ms >= before && ms <= Date.now(), `${ms}`);
  }
  assert(frames.some(({ time }) => time % 1000n !== 0n), "nanoseconds");

  const { stdout: infos } = await lab.run("capinfos", "-M", path);
  assert.match(infos, /File encapsulation: +ether/);
  assert.match(infos, /Number of packets: +8/);
  assert.match(infos, /Number of interfaces in file: 2/);
  assert.match(infos, new RegExp(`Name = ${first}`));
  assert.match(infos, /Time resolution = 0x09/);
  assert.match(infos, /Number of stat entries = 1/);
  assert.match(infos, /Capture application: +culvert /);
  const read = await lab.run("tcpdump", "-n", "--nano", "-e", "-r", path, "vlan 100");
  assert.equal(read.stdout.match(/^\d\d:/gm)?.length, 2, read.stdout);
  await lab.finish(running);
});

Deno.test("A capture takes the ports, bytes, frames and filter that it is told", async () => {
  using dir = folder();
  await using lab = await Lab.open();
  const pair = await lab.namespacePair();
  const host = await lab.startHost(packetPorts(pair.a, pair.b));
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  const one = await startCapture(lab, [
    ...[pair.a.outer, "-f", "icmp[0] = 8", "-s", "50", "-c", "3", "-w", `${dir}/one.pcapng`],
  ]);
  const two = await startCapture(lab, ["guest:0", "-w", `${dir}/two.pcapng`, "--rate", "5"]);
  const ping = ["ping", "-c", "20", "-i", "0.05", "-s", "500", pair.b.ip4];
  await lab.inNamespace(pair.a.netns, ...ping);
  const { code, stderr } = await one.ended();
  assert.equal(code, 0, stderr);
  assert.match(stderr, /3 frames captured/);
  await ends(two);
  const { frames } = framesOf(`${dir}/one.pcapng`);
  assert.deepEqual(
    frames.map(({ bytes, wireBytes, flags }) => [bytes.length, wireBytes, flags]),
    Array(3).fill([50, 542, 1]),
  );
  const { stdout } = await lab.run("capinfos", "-M", `${dir}/one.pcapng`);
  assert.match(stdout, /Capture length = 50\n/);
  const all = framesOf(`${dir}/two.pcapng`).frames;
  const seconds = Map.groupBy(all, ({ time }) => time / 1_000_000_000n);
  for (const [second, { length }] of seconds) assert(length <= 5, `${length} in ${second}`);
  assert(all.length >= 5);
  await guest.stop();
  await lab.stopHost(host);
});

Deno.test("A capture has dropped frames too, with their reasons as comments", async () => {
  using dir = folder();
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true, mtu: 3000 });
  const host = await lab.startHost(packetPorts(pair.a, pair.b));
  const { a } = await lab.wires(pair);
  const path = `${dir}/a.pcapng`;
  const capture = await startCapture(lab, ["-w", path, "-s", "128"]);
  await a.send(testFrame(2000));
  await a.send(testFrame(60));
  await pause(300);
  const guest = await lab.startGuest(["--forward-mode", "icmpecho"]);
  await a.send(testFrame(61));
  await pause(300);
  await ends(capture);
  assert.deepEqual(
    await fields(lab, path, "frame.len", "frame.cap_len", "frame.comment"),
    [
      ["2000", "128", "dropped: longer than the frame limit (--mtu)"],
      ["60", "60", "dropped: no guest attached"],
      ["61", "61", ""],
      ["61", "61", "dropped by the guest"],
    ],
  );
  await guest.stop();
  await lab.stopHost(host);
});

Deno.test("A ring of files keeps the last ones, each whole", async () => {
  using dir = folder();
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const host = await lab.startHost(packetPorts(pair.a, pair.b));
  const { a } = await lab.wires(pair);
  const capture = await startCapture(lab, ["-w", `${dir}/r.pcapng`, "--ring", "3x64K"]);
  const files = () => [...Deno.readDirSync(dir)].map(({ name }) => name).sort();
  for (let i = 0; i < 10; i++) {
    await a.send(testFrame(1000, { seed: i }), 30);
    await pause(30);
  }
  await ends(capture);
  const found = files();
  assert.equal(found.length, 3);
  const numbers = found.map((name) => Number(/^r_(\d{5})_\d{14}\.pcapng$/.exec(name)?.[1]));
  assert.deepEqual(numbers, [numbers[0], numbers[0] + 1, numbers[0] + 2]);
  assert(numbers[0] > 1);
  for (const name of found) {
    const { stdout } = await lab.run("capinfos", "-Mc", `${dir}/${name}`);
    assert.match(stdout, /Number of packets/);
  }
  await lab.stopHost(host);
});

Deno.test("A capture that is killed leaves a file of whole frames, and its place to the next", async () => {
  using dir = folder();
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const host = await lab.startHost(packetPorts(pair.a, pair.b));
  const { a } = await lab.wires(pair);
  for (let i = 0; i < 6; i++) { // there are places for four
    const path = `${dir}/${i}.pcapng`;
    const capture = await startCapture(lab, ["-w", path]);
    const [pid] = processesNaming(path);
    await until(() => niceLevel(pid) === niceLevel(Deno.pid) + 5);
    await a.send(testFrame(70 + i), 5);
    await until(() => framesOf(path).frames.length === 5);
    await capture.stop("SIGKILL");
    assert.deepEqual(framesOf(path).error, undefined);
    await lab.run("tshark", "-r", path);
    const bytes = Deno.readFileSync(path);
    Deno.writeFileSync(path, bytes.subarray(0, bytes.length - 7));
    const cut = await lab.tryRun("tshark", "-r", path);
    assert.match(cut.stderr, /cut short/);
    assert.match(framesOf(path).error ?? "", /it was cut off; all frames before are read/);
    assert.equal(framesOf(path).frames.length, 4);
  }
  await lab.stopHost(host);
});

Deno.test("A capture ends with its host, and says what it cannot find", async () => {
  using dir = folder();
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const host = await lab.startHost(packetPorts(pair.a, pair.b));
  const refused = await lab.culvert("capture", [
    ...["--region", lab.region, "eth99", "-w", `${dir}/x.pcapng`],
  ]).ended();
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /as the host has no such port or guest: it has .*, guest:0/);
  const capture = await startCapture(lab, ["-w", `${dir}/a.pcapng`]);
  await lab.finishHost(host);
  const { code, stderr } = await capture.ended();
  assert.equal(code, 0);
  assert.match(stderr, /the host has ended: 0 frames captured/);
  const late = await lab.culvert("capture", ["--region", lab.region, "-w", `${dir}/b`]).ended();
  assert.equal(late.code, 1);
  assert.match(
    late.stderr,
    /Cannot capture at region .* as no host that runs has made \/run\/culvert/,
  );
  const wrong = await lab.culvert("capture", ["-f", "tcp prt 443", "-w", `${dir}/b`]).ended();
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /Cannot use the filter "tcp prt 443" as tcpdump says: .*syntax error/);
});
