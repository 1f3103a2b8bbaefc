/** What an error says of a burst that a function has used wrongly. */
export interface Frames {
  /** How many frames it has. */
  readonly count: number;
  /** Bytes of one. */
  length(i: number): number;
}

/**
 * Refuse a frame that the burst does not have.
 *
 * @throws {RangeError} always.
 */
export function refuseFrame({ count }: Frames, i: number): never {
  if (!Number.isInteger(i)) {
    throw new RangeError(`Cannot use frame ${shown(i)}: a whole number is wanted`);
  }
  const which = count === 0 ? "none" : `${count}, from 0 on`;
  throw new RangeError(`Cannot use frame ${i} as the burst has ${which}: i < burst.count`);
}

/**
 * Refuse to use `bytes` bytes at offset `at` of frame `i`, which does not have them.
 *
 * @throws {RangeError} always.
 */
export function refuseOffset(frames: Frames, i: number, at: number, bytes: number): never {
  if (!Number.isInteger(i) || !(i < frames.count)) refuseFrame(frames, i);
  if (!Number.isInteger(at)) {
    throw new RangeError(
      `Cannot use offset ${shown(at)} of frame ${i}: a whole number is wanted`,
    );
  }
  throw new RangeError(
    `Cannot use ${bytes} byte${bytes === 1 ? "" : "s"} at offset ${at} of frame ${i} as it has ` +
      `${frames.length(i)} bytes: look at length(${i}) before`,
  );
}

/**
 * Refuse a port that is not there, or that another lcore sends by.
 *
 * @throws {RangeError} always.
 */
export function refusePort(port: number, outputs: readonly (object | undefined)[]): never {
  const ports = [...outputs.keys()];
  const wanted = ports.includes(port)
    ? "another lcore sends by it: use one core (-l)"
    : `the ports are ${ports.join(", ")}`;
  throw new RangeError(`Cannot send a frame by port ${port}: ${wanted}`);
}

/** What a function has given for a number. */
function shown(found: unknown): string {
  return typeof found === "string" ? `"${found}" (a string)` : String(found);
}
