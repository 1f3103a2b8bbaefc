import { equal, ok, throws } from "node:assert/strict";
import { check, CulvertError, ShimError, UsageError } from "../../ffi/error.ts";

Deno.test("check() passes on what is not negative", () => {
  equal(check(0, "count"), 0);
  equal(check(2 ** 31 - 1, "count"), 2 ** 31 - 1);
});

Deno.test("check() turns -errno into a ShimError with action, errno name and advice", () => {
  throws(() => check(-2, "open region /dev/shm/x"), {
    name: "ShimError",
    message: "Cannot open region /dev/shm/x as the kernel says ENOENT: it does not exist; " +
      "check the name",
    errno: 2,
    code: "ENOENT",
  });
});

Deno.test("check() prefers the caller's advice to its own", () => {
  throws(() => check(-1, "open TAP tap0", "ask your administrator"), {
    message: "Cannot open TAP tap0 as the kernel says EPERM: ask your administrator",
  });
});

Deno.test("ShimError says nothing where there is no advice", () => {
  equal(new ShimError("bind", 98).message, "Cannot bind as the kernel says EADDRINUSE");
});

Deno.test("ShimError names the errnos of Linux that matter here", () => {
  const wanted = {
    1: "EPERM",
    16: "EBUSY",
    19: "ENODEV",
    22: "EINVAL",
    77: "EBADFD",
    105: "ENOBUFS",
    109: "ETOOMANYREFS",
  };
  for (const [errno, code] of Object.entries(wanted)) {
    equal(new ShimError("try", Number(errno)).code, code);
  }
  equal(new ShimError("try", 11).code.replace("EWOULDBLOCK", "EAGAIN"), "EAGAIN");
});

Deno.test("ShimError gives the number of an errno without a name", () => {
  equal(new ShimError("try", 4000).message, "Cannot try as the kernel says errno 4000");
});

Deno.test("ShimError and UsageError are CulvertErrors with names of their own", () => {
  ok(new ShimError("try", 1) instanceof CulvertError);
  ok(new UsageError("no") instanceof CulvertError);
  equal(new CulvertError("no").name, "CulvertError");
  equal(new UsageError("no").name, "UsageError");
});
