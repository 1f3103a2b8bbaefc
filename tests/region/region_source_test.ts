import { equal, rejects, throws } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { hostRegionMemory } from "../../app/region/hosted_memory.ts";
import { locateRegion, openRegion } from "../../app/region/region_source.ts";

const THIS_FILE = fileURLToPath(new URL(import.meta.url));

Deno.test("openRegion() of a name that no host hands out is undefined", () => {
  equal(openRegion("culvert-none"), undefined);
});

Deno.test("openRegion() of a path where no file is is undefined", () => {
  equal(openRegion("/dev/shm/culvert-none"), undefined);
  equal(openRegion("/dev/shm/culvert-none/culvert0"), undefined);
});

Deno.test("openRegion() refuses what can be neither name nor path", () => {
  throws(() => openRegion("culvert 0"), { name: "CulvertError", message: /is no name/ });
});

Deno.test("openRegion() refuses a file that is too small for a region", () => {
  const { size } = Deno.statSync(THIS_FILE);
  throws(() => openRegion(THIS_FILE), {
    name: "CulvertError",
    message: `Cannot use region ${THIS_FILE} as it has ${size} bytes: 1 MiB is the least`,
  });
});

Deno.test("openRegion() refuses a path that cannot be opened, with the kernel's reason", () => {
  throws(() => openRegion("/dev/shm/"), {
    name: "ShimError",
    message: /EISDIR: it is a folder; name a file in it$/,
  });
  throws(() => openRegion(`${THIS_FILE}/x`), {
    name: "ShimError",
    message: /ENOTDIR: a part of the path is no folder/,
  });
});

Deno.test("openRegion() refuses a device: nobody makes a region of it", () => {
  throws(() => openRegion("/dev/null"), {
    name: "ShimError",
    message: /EINVAL: it is a device or a pipe: name a file$/,
  });
});

Deno.test("openRegion() follows no symbolic link", () => {
  throws(() => openRegion("/proc/self/exe"), {
    name: "ShimError",
    message: /ELOOP: it is a symbolic link/,
  });
});

Deno.test("locateRegion() refuses a region that no host keeps", () => {
  for (const region of ["culvert-none", "/dev/shm/culvert-none"]) {
    throws(() => locateRegion(region), {
      name: "CulvertError",
      message: /^Cannot find region \S+ as no server or file is there: start .* first, or name/,
    });
  }
});

for (const region of ["culvert-none", "/dev/shm/culvert-none"]) {
  for (const bytes of [0, 4096, 2 ** 20 - 1]) {
    Deno.test(`hostRegionMemory("${region}") refuses ${bytes} bytes, and makes nothing`, async () => {
      await rejects(hostRegionMemory(region, bytes, 1), {
        name: "CulvertError",
        message: `Cannot use region ${region} as it has ${bytes} bytes: 1 MiB is the least`,
      });
      equal(openRegion(region), undefined);
    });
  }

  for (const bytes of [2 ** 20 + 1, 3 * 2 ** 20, 2 ** 31 + 2 ** 30]) {
    Deno.test(`hostRegionMemory("${region}") refuses ${bytes} bytes, no power of two`, async () => {
      await rejects(hostRegionMemory(region, bytes, 1), {
        name: "CulvertError",
        message: `Cannot use region ${region} as it has ${bytes} bytes: QEMU takes powers of two ` +
          "only; use 1M, 2M, 4M ... 4G",
      });
      equal(openRegion(region), undefined);
    });
  }
}
