import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { CulvertError } from "../../ffi/error.ts";
import { cString, SHIM_PATH } from "../../ffi/shim.ts";
import { SHIM_ABI } from "../../ffi/symbols.ts";

const FFI = new URL("../../ffi/", import.meta.url);

/** Load ffi/shim.ts anew with ffi/symbols.ts changed: a build that the library does not fit. */
function loadWith(change: (symbols: string) => string): Promise<unknown> {
  const dataUrl = (text: string) => "data:application/typescript," + encodeURIComponent(text);
  const symbols = change(Deno.readTextFileSync(new URL("symbols.ts", FFI)));
  const module = Deno.readTextFileSync(new URL("shim.ts", FFI))
    .replace(`"./error.ts"`, JSON.stringify(new URL("error.ts", FFI).href))
    .replace(`"./symbols.ts"`, JSON.stringify(dataUrl(symbols)))
    .replaceAll("import.meta.url", JSON.stringify(new URL("shim.ts", FFI).href));
  return import(dataUrl(module));
}

Deno.test("cString() ends in NUL", () => {
  deepEqual([...cString("é1")], [0xc3, 0xa9, 0x31, 0]);
  deepEqual([...cString("")], [0]);
});

Deno.test("the shim needs no newer glibc than Deno itself: 2.27", () => {
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(SHIM_PATH));
  const versions = [...text.matchAll(/\0GLIBC_2\.(\d+)(?=[.\0])/g)].map(([, minor]) =>
    Number(minor)
  );
  ok(versions.length > 0);
  deepEqual(versions.filter((minor) => minor > 27), []);
});

Deno.test("SHIM_PATH is in the project, whatever the current directory", () => {
  equal(SHIM_PATH, fileURLToPath(new URL("../../.cache/shim/libculvert.so", import.meta.url)));
});

Deno.test("shim is refused, with the way out, when its ABI is another", async () => {
  await rejects(
    loadWith((text) => text.replace(/SHIM_ABI = \d+/, "SHIM_ABI = 4711")),
    (error) => {
      ok(error instanceof CulvertError);
      equal(
        error.message,
        `Cannot use the shim ${SHIM_PATH} as its ABI is ${SHIM_ABI}: this build wants ` +
          "4711; run `deno task shim` to build it again",
      );
      return true;
    },
  );
});

Deno.test("shim is refused, with the way out, when it cannot be loaded", async () => {
  await rejects(
    loadWith((text) =>
      text.replace("  shim_abi:", "  shim_none: { parameters: [], result: 'u32' },\nshim_abi:")
    ),
    (error) => {
      ok(error instanceof CulvertError);
      ok(error.message.startsWith(`Cannot load the shim ${SHIM_PATH} as `));
      ok(error.message.endsWith(": run `deno task shim` to build it"));
      return true;
    },
  );
});
