import { deepEqual, throws } from "node:assert/strict";
import { mapPhysical, parseResource } from "../../app/region/cached_bar.ts";

/** Of an ivshmem-plain in a VM: BAR0, nothing, BAR2 (64 bits wide). */
const RESOURCE = `\
0x00000000fea40000 0x00000000fea400ff 0x0000000000040200
0x0000000000000000 0x0000000000000000 0x0000000000000000
0x0000000100000000 0x000000017fffffff 0x000000000014220c
0x0000000000000000 0x0000000000000000 0x0000000000000000
`;

Deno.test("parseResource() reads where a BAR lies, above 4 GiB too", () => {
  deepEqual(parseResource(RESOURCE, 0), { start: 0xfea40000, end: 0xfea400ff });
  deepEqual(parseResource(RESOURCE, 1), { start: 0, end: 0 });
  deepEqual(parseResource(RESOURCE, 2), { start: 2 ** 32, end: 0x17fffffff });
  deepEqual(parseResource("", 2), { start: 0, end: 0 });
});

Deno.test("mapPhysical() maps no device that is not there", () => {
  const device = {
    address: "ffff:ff:1f.7",
    bytes: 1 << 20,
    hasInterrupts: false,
    registersOffset: 0,
  };
  throws(() => mapPhysical(device), { name: "ShimError", message: /resource as .* ENOENT/ });
});
