/**
 * Addresses, and an ethertype that IEEE 802 leaves to local experiments. Nobody has the destination
 * address: of a broadcast a bridge would make a copy for its own host.
 */
const HEADER = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x88, 0xb5];

/** A frame whose bytes follow from its number, 0 to 255, and its length. */
export function wireFrame(number: number, bytes: number): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(bytes);
  frame.set([...HEADER, number]);
  for (let at = HEADER.length + 1; at < bytes; at++) frame[at] = at * 7 + number;
  return frame;
}

/** Whether these bytes are one of our frames: right or wrong, {@linkcode wireFrame} tells. */
export function isWireFrame(frame: Uint8Array): boolean {
  return frame[12] === HEADER[12] && frame[13] === HEADER[13];
}

/** The number of one of our frames. */
export function numberOf(frame: Uint8Array): number {
  return frame[HEADER.length];
}
