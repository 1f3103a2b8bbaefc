import { equal, throws } from "node:assert/strict";
import { isPath, socketPath } from "../../app/memory/region_name.ts";

Deno.test("isPath() takes a region with a slash for a path, any other for a name", () => {
  for (const path of ["/dev/shm/culvert0", "./a", "a/b", "/"]) equal(isPath(path), true, path);
  for (const name of ["culvert0", "a.b", ".."]) equal(isPath(name), false, name);
});

for (const name of ["culvert0", "a", "vm-7.red_2", "x".repeat(64)]) {
  Deno.test(`socketPath("${name}") is below /run/culvert`, () => {
    equal(socketPath(name), `/run/culvert/${name}.sock`);
  });
}

for (const name of ["", "a b", "a/b", "../a", "ü", "a\n", "a\0"]) {
  Deno.test(`socketPath() refuses ${JSON.stringify(name)}`, () => {
    throws(() => socketPath(name), {
      name: "CulvertError",
      message:
        `Cannot use region "${name}" as it is no name (letters, digits, ".", "_", "-") and ` +
        "no path: write culvert0 or /dev/shm/culvert0",
    });
  });
}

Deno.test("socketPath() says of a name that is too long how long it may be", () => {
  throws(() => socketPath("x".repeat(65)), {
    message: `Cannot use region "${"x".repeat(65)}" as its name has 65 characters: at most 64`,
  });
});
