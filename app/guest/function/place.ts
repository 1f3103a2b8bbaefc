/** Our own files that a function calls, or that call it: its mistakes are found there. */
const OURS = /app\/guest\/(function|headers|trial)\/|app\/guest\/(guest_lane|forward)\./;

/** Where in a user's file an error came from: the innermost line of its stack that is not ours. */
export function placeIn({ stack = "" }: Error): string | undefined {
  const places = stack.split("\n").filter((line) => /^\s+at /.test(line));
  return (places.find((line) => !OURS.test(line)) ?? places[0])?.trim();
}
