/**
 * The guest app of `boot_test.ts`: uses the library in the shim's place, finds the region's PCI
 * device, maps it, answers what the host has written there, and ends with status 7.
 *
 * @module
 */

const READ_WRITE = 2;
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;

const shim = Deno.dlopen(new URL("../.cache/shim/libculvert.so", import.meta.url), {
  cos: { parameters: ["f64"], result: "f64" },
});
const libc = Deno.dlopen("libc.so.6", {
  open: { parameters: ["buffer", "i32"], result: "i32" },
  mmap: { parameters: ["usize", "usize", "i32", "i32", "i32", "i64"], result: "pointer" },
});

/** The sysfs directory of the device 1af4:1110. */
function findRegion(): string {
  const bus = "/sys/bus/pci/devices";
  for (const { name } of Deno.readDirSync(bus)) {
    const read = (file: string) => Deno.readTextFileSync(`${bus}/${name}/${file}`).trim();
    if (read("vendor") === "0x1af4" && read("device") === "0x1110") return `${bus}/${name}`;
  }
  throw new Error("no device 1af4:1110");
}

const path = `${findRegion()}/resource2`;
const { size } = Deno.statSync(path);
const fd = libc.symbols.open(new TextEncoder().encode(path + "\0"), READ_WRITE);
const at = libc.symbols.mmap(0n, BigInt(size), PROT_READ_WRITE, MAP_SHARED, fd, 0n);
const words = new Uint32Array(Deno.UnsafePointerView.getArrayBuffer(at!, size));
words[1] = words[0] + 1;

console.log(`cos(0) is ${shim.symbols.cos(0)}`);
console.log(`region of ${size} bytes`);
console.log(`arguments ${JSON.stringify(Deno.args)}`);
console.log(`tun ${Deno.readTextFileSync("/proc/modules").includes("tun ")}`);
Deno.exit(7);
