import { deepEqual, equal, throws } from "node:assert/strict";
import { CulvertError } from "../../ffi/error.ts";
import { findGroup, findUser, givePath, ownerFor, SAME, statusOf } from "../../app/linux/owner.ts";

Deno.test("findUser() knows users by name and by number", () => {
  deepEqual(findUser("root"), { uid: 0, gid: 0 });
  deepEqual(findUser("47321"), { uid: 47321, gid: 47321 });
  equal(findGroup("root"), 0);
  equal(findGroup("47321"), 47321);
});

for (const name of ["no-such-user", "", "-1", "1x", "4294967295"]) {
  Deno.test(`findUser() and findGroup() refuse "${name}"`, () => {
    throws(() => findUser(name), CulvertError);
    throws(() => findGroup(name), CulvertError);
  });
}

Deno.test("ownerFor() is 0600 for one user, 0660 for a group too", () => {
  deepEqual(ownerFor({}), { uid: SAME, gid: SAME, mode: 0o600 });
  deepEqual(ownerFor({ user: "root" }), { uid: 0, gid: 0, mode: 0o600 });
  deepEqual(ownerFor({ group: "7" }), { uid: SAME, gid: 7, mode: 0o660 });
  deepEqual(ownerFor({ user: "root", group: "7" }), { uid: 0, gid: 7, mode: 0o660 });
});

Deno.test("givePath() changes a file's mode", () => {
  const folder = Deno.makeTempDirSync({ dir: "/tmp" });
  try {
    Deno.writeTextFileSync(`${folder}/file`, "", { mode: 0o644 });
    givePath(`${folder}/file`, ownerFor({}));
    equal(statusOf(`${folder}/file`)!.mode & 0o777, 0o600);
    throws(() => givePath(`${folder}/none`, ownerFor({})), CulvertError);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("statusOf() tells a file from another that takes its place", () => {
  const folder = Deno.makeTempDirSync({ dir: "/tmp" });
  try {
    const path = `${folder}/file`;
    equal(statusOf(path), undefined);
    Deno.writeTextFileSync(path, "");
    Deno.writeTextFileSync(`${path}.new`, "");
    const before = statusOf(path)!;
    equal(before.inode, Deno.lstatSync(path).ino);
    equal(before.device, Deno.lstatSync(path).dev);
    Deno.renameSync(`${path}.new`, path);
    equal(statusOf(path)!.inode === before.inode, false);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
