import { equal, throws } from "node:assert/strict";
import { hostRegionMemory } from "../../app/memory/hosted_memory.ts";
import { readKernelFile } from "../../app/memory/kernel_file.ts";
import { locateRegion, openRegionMemory, receiveMemfd } from "../../app/memory/region_file.ts";
import { isPath, socketPath } from "../../app/memory/region_name.ts";

const THIS_FILE = new URL(import.meta.url).pathname;

Deno.test("isPath() takes a region with a slash for a path, any other for a name", () => {
  for (const path of ["/dev/shm/culvert0", "./a", "a/b", "/"]) equal(isPath(path), true, path);
  for (const name of ["culvert0", "a.b", ".."]) equal(isPath(name), false, name);
});

for (const name of ["culvert0", "a", "vm-7.red_2", "x".repeat(64)]) {
  Deno.test(`socketPath("${name}") is below /run/culvert`, () => {
    equal(socketPath(name), `/run/culvert/${name}.sock`);
  });
}

for (const name of ["", "a b", "a/b", "../a", "ü", "a\n", "a\0", "x".repeat(65)]) {
  Deno.test(`socketPath() refuses ${JSON.stringify(name)}`, () => {
    throws(() => socketPath(name), {
      name: "CulvertError",
      message:
        `Cannot use region "${name}" as it is no name (letters, digits, ".", "_", "-") and ` +
        "no path: write culvert0 or /dev/shm/culvert0",
    });
  });
}

Deno.test("openRegionMemory() of a name that no host hands out is undefined", () => {
  equal(openRegionMemory("culvert-none"), undefined);
  equal(receiveMemfd("culvert-none"), undefined);
});

Deno.test("openRegionMemory() of a path where no file is is undefined", () => {
  equal(openRegionMemory("/dev/shm/culvert-none"), undefined);
  equal(openRegionMemory("/dev/shm/culvert-none/culvert0"), undefined);
});

Deno.test("openRegionMemory() refuses what can be neither name nor path", () => {
  throws(() => openRegionMemory("culvert 0"), { name: "CulvertError", message: /is no name/ });
});

Deno.test("openRegionMemory() refuses a file that is too small for a region", () => {
  const { size } = Deno.statSync(THIS_FILE);
  throws(() => openRegionMemory(THIS_FILE), {
    name: "CulvertError",
    message: `Cannot use region ${THIS_FILE} as it has ${size} bytes: 1 MiB is the least`,
  });
});

Deno.test("openRegionMemory() refuses a path that cannot be opened, with the kernel's reason", () => {
  throws(() => openRegionMemory("/dev/shm/"), {
    name: "ShimError",
    message: "Cannot open region /dev/shm/ as the kernel says EISDIR",
  });
  throws(() => openRegionMemory(`${THIS_FILE}/x`), { name: "ShimError", message: /ENOTDIR$/ });
});

Deno.test("openRegionMemory() follows no symbolic link", () => {
  throws(() => openRegionMemory("/proc/self/exe"), { name: "ShimError", message: /ELOOP$/ });
});

Deno.test("locateRegion() refuses a region that no host keeps", () => {
  for (const region of ["culvert-none", "/dev/shm/culvert-none"]) {
    throws(() => locateRegion(region), {
      name: "CulvertError",
      message: `Cannot find region ${region} as no host keeps it: start \`culvert host\` first`,
    });
  }
});

for (const region of ["culvert-none", "/dev/shm/culvert-none"]) {
  for (const bytes of [0, 4096, 2 ** 20 - 1]) {
    Deno.test(`hostRegionMemory("${region}") refuses ${bytes} bytes, and makes nothing`, () => {
      throws(() => hostRegionMemory(region, bytes), {
        name: "CulvertError",
        message: `Cannot use region ${region} as it has ${bytes} bytes: 1 MiB is the least`,
      });
      equal(openRegionMemory(region), undefined);
    });
  }

  for (const bytes of [2 ** 20 + 1, 3 * 2 ** 20, 2 ** 31 + 2 ** 30, 2 ** 33]) {
    Deno.test(`hostRegionMemory("${region}") refuses ${bytes} bytes, no power of two`, () => {
      throws(() => hostRegionMemory(region, bytes), {
        name: "CulvertError",
        message: `Cannot use region ${region} as it has ${bytes} bytes: QEMU takes powers of two ` +
          "only; use 1M, 2M, 4M ... 4G",
      });
      equal(openRegionMemory(region), undefined);
    });
  }
}

Deno.test("readKernelFile() reads a file to its end, in however many pieces it comes", () => {
  const text = Deno.readTextFileSync(THIS_FILE);
  equal(text.length > 4096, true);
  equal(readKernelFile(THIS_FILE), text);
});

Deno.test("readKernelFile() refuses a file that is not there", () => {
  throws(() => readKernelFile("/proc/culvert-none"), {
    name: "ShimError",
    message: "Cannot read /proc/culvert-none as the kernel says ENOENT: it does not exist; check " +
      "the name",
  });
});
