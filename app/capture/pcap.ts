import {
  type CaptureBytes,
  type CapturedFrame,
  LINKTYPE_ETHERNET,
  refuseLinkType,
} from "./capture.ts";

/**
 * A pcap file (draft-ietf-opsawg-pcap): a header, then each frame behind a header of its own.
 *
 * ```text
 *      0                   1                   2                   3
 *     +---------------------------------------------------------------+
 *   0 |                      magic: a1b2c3d4, a1b23c4d                |
 *   4 |        major version 2        |        minor version 4        |
 *   8 |                          (reserved)                           |
 *  12 |                          (reserved)                           |
 *  16 |                            snaplen                            |
 *  20 | FCS |                         |           link type           |
 *     +---------------------------------------------------------------+
 *
 *     +---------------------------------------------------------------+
 *   0 |                            seconds                            |
 *   4 |                  microseconds, or nanoseconds                 |
 *   8 |                    bytes that are captured                    |
 *  12 |                     bytes that were there                     |
 *     +---------------------------------------------------------------+
 * ```
 */
export const PCAP = {
  HEADER_BYTES: 24,
  RECORD_BYTES: 16,
  MICROSECONDS: 0xa1b2c3d4,
  NANOSECONDS: 0xa1b23c4d,
} as const;

/** Whether a file begins as a pcap file does, in either byte order. */
export function isPcap(start: DataView): boolean {
  return [true, false].some((little) => isMagic(start.getUint32(0, little)));
}

function isMagic(magic: number): boolean {
  return magic === PCAP.MICROSECONDS || magic === PCAP.NANOSECONDS;
}

/**
 * The frames of a pcap file.
 *
 * @param start Its first four bytes.
 * @throws {CulvertError} if it is cut off, or not of Ethernet.
 */
export function* readPcap(bytes: CaptureBytes, start: DataView): Generator<CapturedFrame> {
  const little = isMagic(start.getUint32(0, true));
  const unit = start.getUint32(0, little) === PCAP.NANOSECONDS ? 1n : 1000n;
  const header = bytes.take(PCAP.HEADER_BYTES - 4, "its header");
  const linkType = header.getUint32(16, little) & 0xffff;
  if (linkType !== LINKTYPE_ETHERNET) refuseLinkType(bytes.name, linkType);
  while (!bytes.isAtEnd()) {
    const record = bytes.take(PCAP.RECORD_BYTES, "a frame's header");
    const [seconds, fraction, captured, wireBytes] = [0, 4, 8, 12]
      .map((at) => record.getUint32(at, little));
    const { buffer, byteOffset } = bytes.take(captured, "a frame");
    yield {
      bytes: new Uint8Array(buffer, byteOffset, captured).slice(),
      wireBytes,
      port: 0,
      time: BigInt(seconds) * 1_000_000_000n + BigInt(fraction) * unit,
    };
  }
}
