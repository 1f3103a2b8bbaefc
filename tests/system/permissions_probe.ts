/**
 * What Deno permits before and after a host has given it up, in its main thread and in a Worker.
 *
 * @module
 */
import { giveUpPermissions } from "../../app/linux/privileges.ts";

const NAMES = ["env", "ffi", "import", "net", "read", "run", "sys", "write"] as const;

/** Some of these are for some paths alone: what is granted there counts. */
const PLACES = { read: "/dev/shm/x", write: "/dev/shm/x", ffi: ".cache/shim/libculvert.so" };

/** One of the hosts that Deno lets anybody import from, unless told otherwise. */
const IMPORTED_FROM = "deno.land:443";

function permitted(): string[] {
  return NAMES.filter((name) => {
    const path = PLACES[name as keyof typeof PLACES];
    const asked = {
      name,
      ...(path ? { path } : {}),
      ...(name === "import" ? { host: IMPORTED_FROM } : {}),
    } as Deno.PermissionDescriptor;
    return Deno.permissions.querySync(asked).state === "granted";
  });
}

/** In a Worker there is somebody to post to. */
const outside = self as unknown as Worker;

if (outside.postMessage === undefined) {
  const worker = new Worker(import.meta.url, { type: "module" });
  const answer = () =>
    new Promise((resolve) => worker.onmessage = ({ data }: MessageEvent) => resolve(data));
  await answer(); // it has loaded
  const before = permitted();
  giveUpPermissions();
  worker.postMessage("now");
  console.log(JSON.stringify({ before, after: permitted(), worker: await answer() }));
  Deno.exit(0);
} else {
  outside.onmessage = () => outside.postMessage(permitted());
  outside.postMessage("ready");
}
