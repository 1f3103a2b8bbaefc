import { CulvertError } from "../../ffi/error.ts";

/** A function on its way to a guest, as JSON in the region's memzone `push`. */
export interface PushedFunction {
  /** What logs and tables call it: its file's name. */
  readonly name: string;
  /** Which function of the chain it replaces, from 1; 0: the one of its name, or the only one. */
  readonly position: number;
  /**
   * What `--set` gave to it, by key; if left out, what the function that it replaces was given, if
   * that has the same name.
   */
  readonly set?: Readonly<Record<string, string>>;
  /** JavaScript: a module that imports nothing. */
  readonly text: string;
}

/** Encode a function as it is pushed. */
export function encodePushed(pushed: PushedFunction): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(pushed));
}

/**
 * Decode what was pushed. Its hash is right, so that one program has written all of it; but that
 * may be any program.
 *
 * @throws {CulvertError} if it is no such thing.
 */
export function decodePushed(bytes: Uint8Array): PushedFunction {
  const pushed = parse(new TextDecoder().decode(bytes));
  const { name, position, set, text } = pushed;
  const isSound = isText(name) && isText(text) && Number.isSafeInteger(position) &&
    (set === undefined || isObject(set) && Object.values(set).every(isText));
  if (isSound) return pushed as unknown as PushedFunction;
  throw new CulvertError(
    "Cannot use what was pushed as it is no function: use culvert push of the guest's own build",
  );
}

/**
 * Which function of a chain is meant, from 0.
 *
 * @param chain What the functions are called.
 * @throws {CulvertError} if there is none, or none is named.
 */
export function placeOf({ name, position }: PushedFunction, chain: readonly string[]): number {
  const refuse = (found: string, wanted: string) =>
    new CulvertError(`Cannot take ${name} as ${found}: ${wanted}`);
  const there = `the guest's chain is ${chain.map(stemOf).join(" | ")}`;
  if (position !== 0) {
    if (position >= 1 && position <= chain.length) return position - 1;
    throw refuse(there, `--position 1 to ${chain.length} is wanted, not ${position}`);
  }
  if (chain.length === 1) return 0;
  const same = [...chain.keys()].filter((i) => stemOf(chain[i]) === stemOf(name));
  if (same.length === 1) return same[0];
  throw refuse(there, `say which it replaces, by --position 1 to ${chain.length}`);
}

/** `my` of `./mine/my.ts`: in a VM's image a function's file is called so. */
export function stemOf(named: string): string {
  return named.replace(/^.*\//, "").replace(/\.[cm]?[jt]s$/, "");
}

function parse(text: string): Record<string, unknown> {
  try {
    const parsed = JSON.parse(text);
    return isObject(parsed) ? parsed : {};
  } catch {
    return {};
  }
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
