import { doesNotMatch, equal, match, ok, throws } from "node:assert/strict";
import {
  type Advice,
  check,
  CulvertError,
  FILE_ADVICE,
  INTERFACE_ADVICE,
  kernelError,
  ShimError,
  UsageError,
} from "../../ffi/error.ts";

Deno.test("check() passes on what is not negative", () => {
  equal(check(0, "count"), 0);
  equal(check(2 ** 31 - 1, "count"), 2 ** 31 - 1);
});

Deno.test("check() turns -errno into a ShimError with action, errno name and advice", () => {
  throws(() => check(-2, "open region /dev/shm/x", FILE_ADVICE), {
    name: "ShimError",
    message: "Cannot open region /dev/shm/x as the kernel says ENOENT: there is no such file, or " +
      "no folder for it; check the path",
    errno: 2,
    code: "ENOENT",
  });
});

Deno.test("check() prefers the caller's advice to its own", () => {
  throws(() => check(-1, "open TAP tap0", "ask your administrator"), {
    message: "Cannot open TAP tap0 as the kernel says EPERM: ask your administrator",
  });
});

Deno.test("kernelError() tells what Deno threw like a call into the shim, and passes on the rest", () => {
  const told = (work: () => unknown, ...more: [action?: string, advice?: Advice]) => {
    try {
      work();
    } catch (error) {
      return kernelError(error, ...more);
    }
  };
  const none = () => Deno.statSync("/tmp/nosuch/x");
  const [plain, named] = [told(none), told(none, "list x", { ENOENT: "make one" })];
  ok(plain instanceof ShimError && named instanceof ShimError);
  match(
    plain.message,
    /^Cannot use \/tmp\/nosuch\/x as the kernel says ENOENT: there is no such file/,
  );
  equal(named.message, "Cannot list x as the kernel says ENOENT: make one");
  for (const ours of [new Error("ours"), new Deno.errors.AddrNotAvailable("no path")]) {
    equal(kernelError(ours), ours);
  }
});

Deno.test("an error's advice is chosen by what was tried, not by the errno alone", () => {
  const said = (errno: number, advice?: Advice) => new ShimError("try", errno, advice).message;
  const [EPERM, ENOENT, EACCES, ENODEV, EMFILE] = [1, 2, 13, 19, 24];
  for (const errno of [EPERM, EACCES]) {
    match(said(errno, FILE_ADVICE), /see whose it is \(ls -ld\)/);
    doesNotMatch(said(errno, FILE_ADVICE), /CAP_NET/);
    match(said(errno, INTERFACE_ADVICE), /CAP_NET_RAW/);
    doesNotMatch(said(errno), /root|CAP_NET/, "nobody knows what it is of");
  }
  match(said(ENODEV, INTERFACE_ADVICE), /no interface of that name here; ip link lists/);
  match(said(ENOENT, FILE_ADVICE), /check the path/);
  doesNotMatch(said(ENOENT), /:/);
  for (const advice of [undefined, FILE_ADVICE, INTERFACE_ADVICE]) {
    match(said(EMFILE, advice), /ulimit -n/, "it means the same everywhere");
  }
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
