/** Characters that would move a terminal's cursor, or worse; and what does not decode. */
// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffd]/g;

/** Text that somebody else wrote, fit for a terminal. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "?");
}
