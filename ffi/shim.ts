import { fileURLToPath } from "node:url";
import { CulvertError } from "./error.ts";
import { SHIM_ABI, SYMBOLS } from "./symbols.ts";

/** Where `deno task shim` puts the library. No variable names another: permissions stay narrow. */
export const SHIM_PATH: string = fileURLToPath(
  new URL("../.cache/shim/libculvert.so", import.meta.url),
);

/** The shim's functions. */
export type Shim = Deno.DynamicLibrary<typeof SYMBOLS>["symbols"];

function load(): Shim {
  let library;
  try {
    library = Deno.dlopen(SHIM_PATH, SYMBOLS);
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) {
      throw new CulvertError(
        `Cannot load the shim ${SHIM_PATH} as Deno may not: run it by \`deno task\`, or with ` +
          `--allow-ffi=${SHIM_PATH}`,
      );
    }
    const cause = error instanceof Error ? error.message : String(error);
    throw new CulvertError(
      `Cannot load the shim ${SHIM_PATH} as ${cause}: run \`deno task shim\` to build it`,
    );
  }
  const found = library.symbols.shim_abi();
  if (found !== SHIM_ABI) {
    throw new CulvertError(
      `Cannot use the shim ${SHIM_PATH} as its ABI is ${found}: this build wants ` +
        `${SHIM_ABI}; run \`deno task shim\` to build it again`,
    );
  }
  return library.symbols;
}

/**
 * The shim, loaded when this module is first imported.
 *
 * The fast path of a call needs the function to be a constant where it is called: write
 * `shim.shim_pause(1)`, never pass the function around.
 */
export const shim: Shim = load();

const encoder = new TextEncoder();

/** A NUL-terminated string for C. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text + "\0");
}
