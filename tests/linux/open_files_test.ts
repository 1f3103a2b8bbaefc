import { doesNotThrow, throws } from "node:assert/strict";
import { checkOpenFiles } from "../../app/linux/open_files.ts";

/** What the kernel says of a limit. */
const limits = (soft: string) =>
  "Limit                     Soft Limit           Hard Limit           Units     \n" +
  `Max open files            ${soft.padEnd(21)}1048576              files     \n`;

Deno.test("checkOpenFiles() takes what is enough for a program and its lcores, and no less", () => {
  for (const [soft, lcores] of [["64", 1], ["80", 2], ["unlimited", 32]] as const) {
    doesNotThrow(() => checkOpenFiles("culvert host", lcores, limits(soft)));
  }
  throws(() => checkOpenFiles("culvert host", 1, limits("63")), {
    name: "CulvertError",
    message:
      "Cannot run culvert host as it may have 63 files open, and needs 64: raise the limit " +
      "of open files (ulimit -n)",
  });
  throws(() => checkOpenFiles("culvert run", 2, limits("64")), { message: / needs 80: / });
});

Deno.test("checkOpenFiles() reads the limit of this process", () => {
  doesNotThrow(() => checkOpenFiles("this test", 1));
  throws(() => checkOpenFiles("this test", 1e9), { message: /^Cannot run this test as it may / });
});
