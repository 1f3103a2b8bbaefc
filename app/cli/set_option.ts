import { UsageError } from "../../ffi/error.ts";

/**
 * What `--set KEY=VALUE` says.
 *
 * @throws {UsageError} if it is not of that form.
 */
export function readSet(text: string): [key: string, value: string] {
  const [, key, value] = /^([^=]+)=([^]*)$/.exec(text) ?? [];
  if (key !== undefined) return [key, value];
  throw new UsageError(`Cannot use --set ${text} as it is no option: write --set KEY=VALUE`);
}
