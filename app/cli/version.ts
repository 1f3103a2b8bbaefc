import { SHIM_ABI } from "../../ffi/symbols.ts";
import { hashText, LAYOUT_HASH, LAYOUT_VERSION } from "../memory/layout.ts";

/** Culvert's version; deno.json says the same. */
export const VERSION = "0.1.0";

/** When this version was made, for man pages. */
export const VERSION_DATE = "2026-11-30";

/** What `culvert --version` shows: what has to fit when host, guest and shim meet. */
export function versionText(): string {
  return [
    `culvert ${VERSION}`,
    `layout ${LAYOUT_VERSION}, hash ${hashText(LAYOUT_HASH)}`,
    `shim ABI ${SHIM_ABI}`,
    `Deno ${Deno.version.deno}`,
  ].join("\n");
}
