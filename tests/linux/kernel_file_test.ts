import { equal, throws } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readKernelFile, readRegularFile } from "../../app/linux/kernel_file.ts";

const LONG_FILE = fileURLToPath(new URL("../memory/region_attach_test.ts", import.meta.url));

Deno.test("readKernelFile() reads a file to its end, in however many pieces it comes", () => {
  const text = Deno.readTextFileSync(LONG_FILE);
  equal(text.length > 4096, true);
  equal(readKernelFile(LONG_FILE), text);
});

Deno.test("readKernelFile() refuses a file that is not there", () => {
  throws(() => readKernelFile("/proc/culvert-none"), {
    name: "ShimError",
    message:
      "Cannot read /proc/culvert-none as the kernel says ENOENT: there is no such file, or " +
      "no folder for it; check the path",
  });
});

Deno.test("readRegularFile() opens nothing but a regular file", () => {
  equal(readRegularFile(LONG_FILE), Deno.readTextFileSync(LONG_FILE));
  for (const path of ["/tmp", "/dev/null", "/dev/zero"]) {
    throws(() => readRegularFile(path), {
      name: "CulvertError",
      message:
        `Cannot read ${path} as it is no regular file: a folder, pipe, socket or device; name a file`,
    });
  }
  throws(() => readRegularFile("/proc/self"), /ELOOP: it is a symbolic link; name the file itself/);
  throws(() => readRegularFile("/tmp/culvert-none"), /ENOENT/);
});
