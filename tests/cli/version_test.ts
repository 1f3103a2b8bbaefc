import { equal, match } from "node:assert/strict";
import { SHIM_ABI } from "../../ffi/symbols.ts";
import { LAYOUT_VERSION } from "../../app/memory/layout.ts";
import { VERSION, VERSION_DATE, versionText } from "../../app/cli/version.ts";

Deno.test("deno.json has culvert's version", () => {
  const config = Deno.readTextFileSync(new URL("../../deno.json", import.meta.url));
  equal(JSON.parse(config).version, VERSION);
  match(VERSION_DATE, /^\d{4}-\d{2}-\d{2}$/);
});

Deno.test("culvert --version tells its version, the layout's, the shim's and Deno's", () => {
  match(
    versionText(),
    new RegExp(
      `^culvert ${VERSION}\\nlayout ${LAYOUT_VERSION}, hash [0-9a-f]{8}\\n` +
        `shim ABI ${SHIM_ABI}\\nDeno ${Deno.version.deno}$`,
    ),
  );
});
