import { match, strictEqual } from "node:assert/strict";
import { parseLdd } from "../../app/vm/base.ts";
import { buildGuestImage } from "../../app/vm/image.ts";
import { QEMU, qemuArguments } from "../../app/vm/qemu.ts";
import { runQemu } from "../../app/vm/run_qemu.ts";
import { runToolForText } from "../../app/vm/tools.ts";

const REGION_BYTES = 2 ** 20;
const LIMIT_MS = 120_000;

/** Any library will do in the shim's place: libm, as Deno itself needs it. */
async function someLibrary(): Promise<string> {
  const libraries = parseLdd(await runToolForText("ldd", [Deno.execPath()]));
  return libraries.find((path) => path.includes("/libm.so"))!;
}

/** Boots the test's guest app on a region; returns its status and its console. */
async function boot(regionPath: string, guestArgs: string[]): Promise<[number, string]> {
  const image = await buildGuestImage({
    cacheDir: new URL("../../.cache/vm", import.meta.url).pathname,
    appEntry: new URL("boot_guest.ts", import.meta.url).pathname,
    shimPath: await someLibrary(),
    log: console.error,
  });
  const options = { image, regionPath, regionBytes: REGION_BYTES, guestArgs };
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), LIMIT_MS);
  let output = "";
  const decoder = new TextDecoder();
  try {
    const status = await runQemu(QEMU, qemuArguments({ ...options, modules: ["tun"] }), {
      signal: stop.signal,
      console: (piece) => Promise.resolve(output += decoder.decode(piece, { stream: true })),
    });
    return [status, output];
  } finally {
    clearTimeout(timer);
  }
}

Deno.test("a guest boots, shares the region with the host, and reports its status", async () => {
  const regionPath = await Deno.makeTempFile({ dir: "/dev/shm", prefix: "culvert-boot-" });
  try {
    await Deno.writeFile(regionPath, new Uint8Array(new Uint32Array([41]).buffer));
    await Deno.truncate(regionPath, REGION_BYTES);

    const [status, output] = await boot(regionPath, ["guest", "--portmap", "(0,1) (2,3)"]);

    strictEqual(status, 7, output);
    match(output, /^cos\(0\) is 1$/m);
    match(output, /^region of 1048576 bytes$/m);
    match(output, /^arguments \["guest","--portmap","\(0,1\) \(2,3\)"\]$/m);
    match(output, /^tun true$/m);
    const words = new Uint32Array((await Deno.readFile(regionPath)).buffer);
    strictEqual(words[1], 42, "the guest's answer in the region");
  } finally {
    await Deno.remove(regionPath);
  }
});
