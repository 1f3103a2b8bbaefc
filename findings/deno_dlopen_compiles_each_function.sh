#!/usr/bin/env bash
# Deno FFI: Deno.dlopen() compiles a piece of machine code for each function that it is told, before
# any is called, in each thread that opens the library; not for functions that are `nonblocking`.
#
# Seen with: Deno 2.9.6, Linux 6.18.44, x86_64.
#
# One would expect: opening a library that is loaded already takes some microseconds a symbol, as
# dlsym() does, and what makes calls quick is compiled where V8 first optimises a caller.
#
# Seen: 0.07 ms a function and more; a fifteenth of that if it is `nonblocking`, for which there is no
# quick call. The second time, and in a Worker, it is as much again: nothing is kept.
#
#   96 functions:               6.9 ms
#   96 functions, again:        6.6 ms
#   96 functions, in a Worker: 10.2 ms
#   96 nonblocking functions:   0.4 ms
#
# So each thread that opens a library of a hundred functions begins that much later, and a program
# that gives up --allow-ffi once it has begun cannot leave some of them for later.
#
# Needs npm. Exit status: 0 as described, 1 if the behaviour has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
cat > open.ts <<'TS'
const [FUNCTIONS, TIMES] = [96, 5];

/** Milliseconds that it takes to open the C library with so many names for one function: least. */
export function open(nonblocking: boolean): number {
  const one = { name: "getpriority", parameters: ["i32", "u32"], result: "i32", nonblocking };
  const all = Object.fromEntries(Array.from({ length: FUNCTIONS }, (_, i) => [`f${i}`, one]));
  return Math.min(...Array.from({ length: TIMES }, () => {
    const start = performance.now();
    const library = Deno.dlopen("libc.so.6", all as unknown as Deno.ForeignLibraryInterface);
    const took = performance.now() - start;
    library.close();
    return took;
  }));
}
TS
cat > worker.ts <<'TS'
import { open } from "./open.ts";
self.postMessage(open(false));
TS
cat > main.ts <<'TS'
import { open } from "./open.ts";

function tell(what: string, milliseconds: number): number {
  console.log(`${what.padEnd(26)}${milliseconds.toFixed(1).padStart(5)} ms`);
  return milliseconds;
}

const first = tell("96 functions:", open(false));
const again = tell("96 functions, again:", open(false));
const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
const answer = await new Promise<number>((resolve) => worker.onmessage = (e) => resolve(e.data));
worker.terminate();
tell("96 functions, in a Worker:", answer);
const later = tell("96 nonblocking functions:", open(true));
Deno.exit(Math.min(first, again, answer) > 8 * later ? 0 : 1);
TS
DENO_NO_UPDATE_CHECK=1 timeout 50 npx -y deno@2.9.6 run --no-check --allow-ffi --allow-read main.ts
