import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { CaptureReader } from "../../app/capture/capture_reader.ts";
import { CaptureWriter } from "../../app/capture/capture_writer.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { copyDescriptor } from "../../app/linux/files.ts";
import { Mempool } from "../../app/mempool/mempool.ts";
import { COUNTER, newCounters } from "../../app/port/counters.ts";
import { openPcap, PcapPort } from "../../app/port/pcap_port.ts";
import { parsePcapOptions } from "../../app/port/pcap_options.ts";
import { Burst } from "../../app/ring/burst.ts";
import { fileTest, Folder } from "../ffi/folder.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const MBUFS = 64, STRIDE = 2368;

/** A test with a folder of its own. */
function folderTest(name: string, fn: (folder: string) => void): void {
  fileTest(name, () => {
    using folder = new Folder();
    fn(folder.path);
  });
}

/** A capture of frames of these lengths, so many nanoseconds apart. */
function capture(path: string, lengths: readonly number[], apart = 0): void {
  using file = Deno.openSync(path, { write: true, create: true });
  const writer = new CaptureWriter(file);
  lengths.forEach((length, i) => {
    const bytes = Uint8Array.from({ length }, (_, at) => i + at);
    writer.write({ bytes, wireBytes: length, port: 0, time: BigInt(1e9) + BigInt(i * apart) });
  });
  writer.flush();
}

/** A port, and what it works with. */
function open(text: string) {
  const memory = freshMemory(1 << 18);
  const mbufs = new Mbufs(memory, { offset: 4096, stride: STRIDE, count: MBUFS });
  const mempool = Mempool.create(MBUFS);
  const [counters] = newCounters(1);
  const options = parsePcapOptions(text);
  const setup = openPcap(`pcap:${text}`, options);
  let { fd } = setup;
  let port = new PcapPort(setup, { mbufs, mempool, counters, frameMax: 1522 });
  const burst = Burst.of(32);
  /** Close the port; the next one has the same files. */
  const succeed = () => {
    fd = fd < 0 ? -1 : copyDescriptor(fd);
    port.close();
    port = new PcapPort({ ...setup, fd }, { mbufs, mempool, counters, frameMax: 1522 });
  };
  /** The frames of a burst, which are freed. */
  const receive = (max = 32) => {
    const n = port.rxBurst(burst, max);
    const frames = Array.from({ length: n }, (_, i) => {
      const [word0, word1] = burst.words.subarray(2 * i, 2 * i + 2);
      const byte = mbufs.frameByte(word0, word1);
      return mbufs.u8.slice(byte, byte + (word1 >>> 16));
    });
    mempool.free(burst, n);
    return frames;
  };
  return {
    get port() {
      return port;
    },
    succeed,
    counters,
    mempool,
    burst,
    receive,
    [Symbol.dispose]: () => memory[Symbol.dispose](),
  };
}

/** Burst after burst, for so many milliseconds. */
function receiveFor(ms: number, receive: () => Uint8Array[]): number[] {
  const times: number[] = [];
  const start = performance.now();
  while (performance.now() - start < ms) {
    for (let n = receive().length; n > 0; n--) times.push(performance.now() - start);
  }
  return times;
}

folderTest("A pcap port receives the frames of a capture, once, in order", (folder) => {
  const lengths = [60, 64, 1514, 14, 61, 1522];
  capture(`${folder}/in.pcap`, lengths);
  using lab = open(`${folder}/in.pcap,rate=max`);
  equal(lab.port.hasFrames, true);
  const frames = [...lab.receive(4), ...lab.receive(4)];
  deepEqual(frames.map(({ length }) => length), lengths);
  frames.forEach((frame, i) => frame.forEach((byte, at) => equal(byte, i + at & 0xff)));
  deepEqual([lab.receive().length, lab.port.hasFrames], [0, false]);
  equal(lab.counters[COUNTER.RX], 6);
  equal(lab.counters[COUNTER.RX_BYTES], lengths.reduce((sum, n) => sum + n));
});

folderTest("A pcap port drops and counts frames that are too short, and too long", (folder) => {
  capture(`${folder}/in.pcap`, [13, 60, 1523, 61]);
  using lab = open(`${folder}/in.pcap,rate=max`);
  deepEqual(lab.receive().map(({ length }) => length), [60, 61]);
  const { RX, RUNT, OVERSIZE } = COUNTER;
  deepEqual([RX, RUNT, OVERSIZE].map((at) => lab.counters[at]), [4, 1, 1]);
  equal(lab.mempool.allocBurst(Burst.of(MBUFS), MBUFS), MBUFS);
});

folderTest("A pcap port loses nothing for want of mbufs", (folder) => {
  capture(`${folder}/in.pcap`, Array(40).fill(60));
  using lab = open(`${folder}/in.pcap,rate=max`);
  const all = Burst.of(MBUFS);
  equal(lab.mempool.allocBulk(all, MBUFS), MBUFS);
  equal(lab.receive().length, 0);
  lab.mempool.free(all, 10);
  equal(lab.receive().length, 10);
  lab.mempool.free(all, MBUFS - 10, 10);
  equal(lab.receive().length + lab.receive().length, 30);
});

folderTest("A pcap port keeps the rate that it is told, in a loop", (folder) => {
  capture(`${folder}/in.pcap`, [60, 61, 62]);
  using lab = open(`${folder}/in.pcap,loop,rate=5k`);
  const counts: number[] = [];
  do { // a busy machine may look away for a while, though not each time
    const start = performance.now();
    const { length } = receiveFor(200, lab.receive);
    counts.push(length);
    ok(length <= 5 * (performance.now() - start) + 10, `${counts} frames`);
  } while (counts.at(-1)! < 900 && counts.length < 10);
  ok(counts.at(-1)! >= 900, `${counts} frames`);
  equal(lab.port.hasFrames, true);
});

folderTest("A pcap port keeps the times of the capture, in a loop too", (folder) => {
  capture(`${folder}/in.pcap`, [60, 61, 62, 63], 10e6);
  using lab = open(`${folder}/in.pcap,loop`);
  const times = receiveFor(200, lab.receive);
  ok(times.length >= 15 && times.length <= 21, `${times.length} frames`);
  times.slice(0, 10).forEach((time, i) => ok(time >= 10 * i - 1, `${time} ms`));
});

folderTest("A pcap port writes what it is sent, pcapng or pcap", (folder) => {
  for (const path of [`${folder}/out.pcapng`, `${folder}/out.pcap`]) {
    Deno.writeTextFileSync(path, "something older and longer ".repeat(100));
    capture(`${folder}/in.pcap`, [60, 1514]);
    using lab = open(`${folder}/in.pcap,rate=max,w=${path}`);
    equal(lab.port.rxBurst(lab.burst, 32), 2);
    equal(lab.port.txBurst(lab.burst, 2), 2);
    deepEqual([COUNTER.TX, COUNTER.TX_BYTES].map((at) => lab.counters[at]), [2, 1574]);
    lab.port.close();
    using file = Deno.openSync(path);
    const reader = new CaptureReader(file, path);
    for (const length of [60, 1514]) {
      const frame = reader.next()!;
      equal(frame.bytes.length, length);
      ok(Math.abs(Number(frame.time / 1_000_000n) - Date.now()) < 5000);
    }
    equal(reader.next(), undefined);
    equal(lab.mempool.allocBurst(Burst.of(MBUFS), MBUFS), MBUFS);
  }
});

folderTest("The next pcap port goes on where the last one was closed, in both files", (folder) => {
  for (const name of ["out.pcapng", "out.pcap"]) {
    const lengths = [60, 61, 62, 63, 64, 65, 66];
    capture(`${folder}/in.pcap`, lengths);
    using lab = open(`${folder}/in.pcap,rate=max,w=${folder}/${name}`);
    for (let turn = 0; turn < 3; turn++) {
      const n = lab.port.rxBurst(lab.burst, 3);
      equal(lab.port.txBurst(lab.burst, n), n);
      lab.succeed();
    }
    equal(lab.port.hasFrames, false);
    lab.port.close();
    using file = Deno.openSync(`${folder}/${name}`);
    const reader = new CaptureReader(file, name);
    deepEqual(lengths.map(() => reader.next()?.bytes.length), lengths);
    equal(reader.next(), undefined);
  }
});

folderTest("The next pcap port of a loop keeps the rate: it makes up for no pause", (folder) => {
  capture(`${folder}/in.pcap`, [60, 61, 62]);
  using lab = open(`${folder}/in.pcap,loop,rate=10k`);
  receiveFor(20, lab.receive);
  while (lab.receive().length > 1); // what a busy machine was late for
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 150);
  lab.succeed();
  ok(lab.receive().length <= 1);
});

fileTest("A pcap port counts what it could not write as refused", () => {
  using lab = open(",w=/dev/full");
  const n = lab.mempool.allocBurst(lab.burst, 32);
  lab.burst.words.forEach((_, i) => i % 2 === 1 && (lab.burst.words[i] = 128 | 60 << 16));
  equal(lab.port.txBurst(lab.burst, n), 32);
  lab.port.refresh();
  equal(lab.mempool.allocBurst(lab.burst, 32), 32);
  equal(lab.port.txBurst(lab.burst, 32), 32);
  deepEqual([COUNTER.TX, COUNTER.TX_REFUSED].map((at) => lab.counters[at]), [32, 32]);
  lab.port.close();
});

folderTest("A pcap port says what is wrong with its files", (folder) => {
  const refused = (text: string, wanted: RegExp) => throws(() => open(text), wanted);
  refused(`${folder}/none.pcap`, /Cannot open capture .*none.pcap as the kernel says ENOENT/);
  capture(`${folder}/empty.pcap`, []);
  refused(`${folder}/empty.pcap`, /as it has no frames/);
  Deno.writeTextFileSync(`${folder}/text`, "hello");
  refused(`${folder}/text`, /pcap or pcapng is wanted/);
  refused(`,w=${folder}/no/where`, /as the kernel says ENOENT/);
});

Deno.test({
  name: "A pcap port writes through no symbolic link",
  ignore: Deno.permissions.querySync({ name: "write" }).state !== "granted", // symlink wants all
  fn() {
    const folder = Deno.makeTempDirSync();
    Deno.symlinkSync(`${folder}/text`, `${folder}/link`);
    throws(() => open(`,w=${folder}/link`), /is a symbolic link/);
    Deno.removeSync(folder, { recursive: true });
  },
});

Deno.test("parsePcapOptions() reads files, loop and rate, and says what it does not know", () => {
  deepEqual(parsePcapOptions("in.pcap"), { input: "in.pcap", loops: false });
  deepEqual(parsePcapOptions("a,loop,rate=1.5M,w=b"), {
    ...{ input: "a", loops: true, rate: 1_500_000, output: "b" },
  });
  deepEqual(parsePcapOptions(",w=b"), { loops: false, output: "b" });
  deepEqual(parsePcapOptions("a,rate=max").rate, Infinity);
  for (
    const [text, wanted] of Object.entries({
      "": /names no file: write pcap:IN/,
      "a,lop": /"lop" is unknown/,
      "a,rate=0": /Cannot use rate 0 as frames a second are wanted/,
      "a,rate=1G": /Cannot use rate 1G/,
      ",loop,w=b": /there is nothing to replay/,
      "a,w=": /"w=" is unknown/,
    })
  ) {
    throws(() => parsePcapOptions(text), wanted);
  }
});
