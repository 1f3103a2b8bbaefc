import { deepEqual, equal, throws } from "node:assert/strict";
import type { CapturedFrame } from "../../app/capture/capture.ts";
import { CaptureReader } from "../../app/capture/capture_reader.ts";
import { CaptureWriter } from "../../app/capture/capture_writer.ts";
import { block, interfaceBlock, packetBlock, pcapFile, sectionBlock } from "./capture_files.ts";

const TIME = 1_700_000_000_123_456_789n, MICROSECONDS = 1_700_000_000_123_456_000n;
const FRAME = Uint8Array.from({ length: 61 }, (_, i) => i + 1);
const ORDERS = [true, false];

/** A file of some bytes, read `most` at a time. */
function fileOf(bytes: Uint8Array, most = 1000) {
  let at = 0;
  return {
    readSync(buffer: Uint8Array): number | null {
      const n = Math.min(most, buffer.length, bytes.length - at);
      buffer.set(bytes.subarray(at, at + n));
      at += n;
      return n === 0 ? null : n;
    },
  };
}

/** All frames of a capture, and what stopped the reader. */
function framesOf(bytes: Uint8Array, most?: number) {
  const frames: CapturedFrame[] = [];
  try {
    const reader = new CaptureReader(fileOf(bytes, most), "in.pcap");
    for (let frame; (frame = reader.next());) frames.push(frame);
    return { frames, interfaces: reader.interfaces, error: undefined };
  } catch (error) {
    return { frames, interfaces: 0, error: (error as Error).message };
  }
}

/** A pcapng file of two interfaces with a frame each. */
function pcapng(little: boolean): Uint8Array {
  return Uint8Array.of(
    ...sectionBlock(little),
    ...interfaceBlock(little, { options: [[2, [...new TextEncoder().encode("eth0")]]] }),
    ...interfaceBlock(little, { options: [[9, [9]]] }),
    ...block(little, 5, new Uint8Array(12)), // statistics
    ...packetBlock(little, 1, TIME, FRAME),
    ...packetBlock(little, 0, TIME / 1000n, FRAME.slice(0, 14), 100),
  );
}

for (const little of ORDERS) {
  const order = little ? "little" : "big";

  Deno.test(`CaptureReader reads pcap, ${order}-endian, of micro- and nanoseconds`, () => {
    for (const most of [1, 1000]) {
      for (const isNano of [false, true]) {
        const frames = [{ time: TIME, bytes: FRAME }, { time: TIME, bytes: FRAME, wireBytes: 99 }];
        deepEqual(framesOf(pcapFile(little, isNano, frames), most), {
          frames: [61, 99].map((wireBytes) => ({
            ...{ bytes: FRAME, wireBytes, port: 0, time: isNano ? TIME : MICROSECONDS },
          })),
          interfaces: 1,
          error: undefined,
        });
      }
    }
  });

  Deno.test(`CaptureReader reads pcapng, ${order}-endian: interfaces are ports`, () => {
    for (const most of [1, 1000]) {
      deepEqual(framesOf(pcapng(little), most), {
        frames: [
          { bytes: FRAME, wireBytes: 61, port: 1, time: TIME },
          { bytes: FRAME.slice(0, 14), wireBytes: 100, port: 0, time: MICROSECONDS },
        ],
        interfaces: 2,
        error: undefined,
      });
    }
  });
}

Deno.test("CaptureReader reads pcapng of sections that have different byte orders", () => {
  const { frames } = framesOf(Uint8Array.of(...pcapng(true), ...pcapng(false)));
  deepEqual(frames.map(({ port, time }) => [port, time]), [
    ...[[1, TIME], [0, MICROSECONDS], [1, TIME], [0, MICROSECONDS]],
  ]);
});

Deno.test("CaptureReader reads timestamps of a binary resolution, with an offset in seconds", () => {
  const offset = [...new Uint8Array(new BigInt64Array([1_700_000_000n]).buffer)];
  const options: [number, number[]][] = [[9, [0x80 | 10]], [14, offset]];
  const file = Uint8Array.of(
    ...sectionBlock(true),
    ...interfaceBlock(true, { options }),
    ...packetBlock(true, 0, 1536n, FRAME),
  );
  equal(framesOf(file).frames[0].time, 1_700_000_001_500_000_000n);
});

Deno.test("CaptureReader reads simple and obsolete packet blocks", () => {
  const simple = new Uint8Array(4 + 12);
  new DataView(simple.buffer).setUint32(0, 61, true);
  simple.set(FRAME.subarray(0, 10), 4);
  const obsolete = new Uint8Array(20 + 12);
  const view = new DataView(obsolete.buffer);
  view.setUint32(8, 5, true);
  view.setUint32(12, 10, true);
  view.setUint32(16, 10, true);
  obsolete.set(FRAME.subarray(0, 10), 20);
  const file = Uint8Array.of(
    ...sectionBlock(true),
    ...interfaceBlock(true, { snapLength: 10 }),
    ...block(true, 3, simple),
    ...block(true, 2, obsolete),
  );
  const bytes = FRAME.slice(0, 10);
  deepEqual(framesOf(file).frames, [
    { bytes, wireBytes: 61, port: 0, time: 0n },
    { bytes, wireBytes: 10, port: 0, time: 5000n },
  ]);
});

Deno.test("CaptureReader refuses what is no capture, and what is no Ethernet", () => {
  const refused = (bytes: Uint8Array, message: string) => equal(framesOf(bytes).error, message);
  refused(
    new TextEncoder().encode("hello"),
    "Cannot read capture in.pcap as it begins with 68656c6c: pcap or pcapng is wanted",
  );
  refused(
    Uint8Array.of(1),
    "Cannot read capture in.pcap as it has less than 4 bytes: pcap or pcapng is wanted",
  );
  const cooked = "Cannot use capture in.pcap as its frames are of link type 113 (Linux cooked " +
    "capture): Ethernet (1) is wanted; capture at one interface, not at any";
  refused(pcapFile(true, false, [], 113), cooked);
  const sections = [...sectionBlock(true), ...interfaceBlock(true, { linkType: 113 })];
  refused(Uint8Array.from(sections), undefined as never); // it has no frame
  refused(Uint8Array.of(...sections, ...packetBlock(true, 0, 1n, FRAME)), cooked);
});

Deno.test("CaptureReader gives all whole frames of a file that is cut off anywhere, and says where", () => {
  const pcap = pcapFile(true, false, [{ time: TIME, bytes: FRAME }, { time: TIME, bytes: FRAME }]);
  const message = (what: string, at: number) =>
    `Cannot read capture in.pcap to its end as it ends in the middle of ${what}, at byte ${at}: ` +
    "it was cut off; all frames before are read";
  const ends = [24, 24 + 77, 24 + 2 * 77];
  for (let end = 4; end <= pcap.length; end++) {
    const { frames, error } = framesOf(pcap.subarray(0, end));
    const whole = Math.max(0, Math.floor((end - 24) / 77));
    equal(frames.length, whole);
    const what = end < 24 ? "its header" : (end - 24) % 77 < 16 ? "a frame's header" : "a frame";
    equal(error, ends.includes(end) ? undefined : message(what, end));
  }
  const ng = pcapng(false);
  const starts = [28, 56, 84, 108, 204, ng.length];
  for (let end = 4; end <= ng.length; end++) {
    const { frames, error } = framesOf(ng.subarray(0, end));
    equal(frames.length, end < starts[4] ? 0 : end < ng.length ? 1 : 2);
    equal(error !== undefined, !starts.includes(end), `at ${end}: ${error}`);
  }
});

Deno.test("CaptureReader says where a file is damaged", () => {
  const damaged = (bytes: Uint8Array, at: number, to: number, found: string) => {
    const copy = bytes.slice();
    copy[at] = to;
    equal(framesOf(copy).error, `Cannot read capture in.pcap as ${found}: it is damaged`);
  };
  const pcap = pcapFile(true, false, [{ time: TIME, bytes: FRAME }]);
  damaged(pcap, 35, 0x7f, "a frame has 2130706493 bytes there, at byte 40");
  const ng = pcapng(true);
  damaged(ng, 8, 0, "a section has no byte order, at byte 12");
  damaged(ng, 32, 35, "a block has 35 bytes, at byte 36");
  damaged(ng, 52, 36, "a block has two lengths that differ, at byte 56");
  damaged(ng, 116, 2, "a frame is of interface 2, which is not described, at byte 204");
  damaged(ng, 128, 72, "a block has 84 bytes where 92 are needed, at byte 204");
});

Deno.test("CaptureWriter writes what CaptureReader reads, pcapng with a port's name, or pcap", () => {
  const frames = Array.from({ length: 3000 }, (_, i) => ({
    bytes: FRAME.slice(0, i % 62),
    ...{ wireBytes: i % 62 + i % 2, port: i % 3, time: TIME + BigInt(i) },
    ...i % 4 === 0 ? { flags: i % 3 } : {},
    ...i % 8 === 0 ? { comment: "dropped".slice(0, i % 7) } : {},
  }));
  frames[7].bytes = new Uint8Array(70_000);
  const interfaces = [{ name: "a", about: "the first" }, { name: "port1" }, { name: "p2" }];
  for (const description of [undefined, { interfaces, snapLength: 100, program: "test" }]) {
    const written: number[] = [];
    const file = {
      writeSync(bytes: Uint8Array) {
        for (const byte of bytes.subarray(0, 50_000)) written.push(byte);
        return Math.min(50_000, bytes.length);
      },
    };
    const writer = new CaptureWriter(file, description);
    for (const frame of frames) writer.write(frame);
    if (description) {
      const counts = { port: 1, received: 2 ** 40, lost: 3, accepted: 2, written: 1 };
      writer.writeCounts(counts, TIME, TIME + 1n);
    }
    writer.flush();
    equal(writer.length, written.length);
    deepEqual(framesOf(Uint8Array.from(written), 1 << 20), {
      frames: description
        ? frames
        : frames.map(({ flags: _, comment: __, ...frame }) => ({ ...frame, port: 0 })),
      interfaces: description ? 3 : 1,
      error: undefined,
    });
  }
});

Deno.test("captures: readers hold no more of a file than a chunk", () => {
  let sent = 0;
  const header = pcapFile(true, false, []);
  const record = pcapFile(true, false, [{ time: TIME, bytes: FRAME }]).slice(24);
  const endless = {
    readSync(buffer: Uint8Array) {
      const next = sent === 0 ? header : record;
      if (buffer.length < next.length) throw new Error("no room for a record");
      buffer.set(next);
      sent += next.length;
      return next.length;
    },
  };
  const reader = new CaptureReader(endless, "endless");
  for (let i = 0; i < 5000; i++) deepEqual(reader.next()?.bytes, FRAME);
  equal(sent <= 24 + 5001 * 77, true);
  throws(() => new CaptureReader({ readSync: () => null }, "empty"), /less than 4 bytes/);
});
