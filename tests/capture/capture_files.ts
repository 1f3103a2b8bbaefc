import { joinBytes } from "../../app/linux/join_bytes.ts";

/** A frame for {@linkcode pcapFile}. */
export interface RecordFields {
  readonly time: bigint;
  readonly bytes: Uint8Array;
  readonly wireBytes?: number;
}

function words(little: boolean, ...numbers: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * numbers.length));
  numbers.forEach((number, i) => view.setUint32(4 * i, number, little));
  return new Uint8Array(view.buffer);
}

/** A pcap file, as tcpdump writes it. */
export function pcapFile(
  little: boolean,
  isNano: boolean,
  frames: readonly RecordFields[],
  linkType = 1,
): Uint8Array {
  const version = little ? 2 | 4 << 16 : 2 << 16 | 4;
  const magic = isNano ? 0xa1b23c4d : 0xa1b2c3d4;
  const parts = [words(little, magic, version, 0, 0, 262_144, linkType)];
  for (const { time, bytes, wireBytes = bytes.length } of frames) {
    const [seconds, fraction] = [time / 1_000_000_000n, time % 1_000_000_000n];
    const part = isNano ? fraction : fraction / 1000n;
    parts.push(words(little, Number(seconds), Number(part), bytes.length, wireBytes), bytes);
  }
  return joinBytes(parts);
}

function padded(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + 3 & ~3);
  all.set(bytes);
  return all;
}

/** A block of pcapng. */
export function block(little: boolean, type: number, body: Uint8Array): Uint8Array {
  const length = 12 + padded(body).length;
  return joinBytes([words(little, type, length), padded(body), words(little, length)]);
}

/** The header of a section. */
export function sectionBlock(little: boolean): Uint8Array {
  const version = little ? 1 : 1 << 16;
  return block(little, 0x0a0d0d0a, words(little, 0x1a2b3c4d, version, 0xffffffff, 0xffffffff));
}

/** The description of an interface. */
export function interfaceBlock(
  little: boolean,
  { linkType = 1, snapLength = 0, options = [] as readonly [number, number[]][] } = {},
): Uint8Array {
  const halves = (a: number, b: number) => words(little, little ? a | b << 16 : a << 16 | b);
  const all = options.flatMap(([code, value]) => [
    halves(code, value.length),
    padded(Uint8Array.from(value)),
  ]);
  return block(little, 1, joinBytes([halves(linkType, 0), words(little, snapLength), ...all]));
}

/** An enhanced packet block. */
export function packetBlock(
  little: boolean,
  port: number,
  time: bigint,
  bytes: Uint8Array,
  wireBytes = bytes.length,
): Uint8Array {
  const [high, low] = [Number(time >> 32n), Number(time & 0xffffffffn)];
  return block(
    little,
    6,
    joinBytes([words(little, port, high, low, bytes.length, wireBytes), bytes]),
  );
}
