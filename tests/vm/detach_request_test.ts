import { equal, match, ok, throws } from "node:assert/strict";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { RegionNotReadyError } from "../../app/memory/region.ts";
import { DetachRequest } from "../../app/vm/detach_request.ts";
import { ShimError, UsageError } from "../../ffi/error.ts";
import { sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { attach, HostedRegion } from "./hosted_region.ts";

const { ABSENT, RUNNING, DETACHING } = GUEST_STATE;

Deno.test("DetachRequest asks the guest to leave until it is disposed of", () => {
  using hosted = new HostedRegion(1);
  const [guest] = hosted.guests;
  {
    using request = DetachRequest.ask(hosted.path, "r");
    equal(request.guest, 0);
    equal(guest.isAskedToLeave, true);
  }
  equal(guest.isAskedToLeave, false);
});

Deno.test("DetachRequest waits until the host has taken back what the guest held, and a second more", async () => {
  using hosted = new HostedRegion(1);
  const [guest] = hosted.guests;
  attach(guest);
  using request = DetachRequest.ask(hosted.path, "r");
  let absentAt = 0;
  setTimeout(() => guest.move("guest", RUNNING, DETACHING), 100);
  setTimeout(() => {
    guest.move("host", DETACHING, ABSENT);
    absentAt = performance.now();
  }, 300);
  equal(await request.isGone(20_000), true);
  ok(absentAt > 0 && performance.now() - absentAt >= 950, "time to unmap");
});

Deno.test("DetachRequest does not take a guest for gone that only says so while its host lives", async () => {
  using hosted = new HostedRegion(1);
  const [guest] = hosted.guests;
  attach(guest);
  using request = DetachRequest.ask(hosted.path, "r");
  equal(await request.isGone(200), false);
  equal(request.stateName, "RUNNING");
  guest.move("guest", RUNNING, DETACHING);
  equal(await request.isGone(4000), false);
  equal(request.stateName, "DETACHING");
});

Deno.test("DetachRequest takes a guest for gone that has left when the host is dead", async () => {
  using hosted = new HostedRegion(1);
  const [guest] = hosted.guests;
  attach(guest);
  hosted.die();
  using request = DetachRequest.ask(hosted.path, "r");
  guest.move("guest", RUNNING, DETACHING);
  equal(await request.isGone(20_000), true);
});

Deno.test("DetachRequest wants to know which guest if the region has several, and asks that one", () => {
  using hosted = new HostedRegion(3);
  throws(() => DetachRequest.ask(hosted.path, "r"), (error) => {
    match(
      (error as Error).message,
      /region r to leave as it has 3 places: say which by --guest \(0/,
    );
    return error instanceof UsageError;
  });
  using request = DetachRequest.ask(hosted.path, "r", 1);
  equal(request.guest, 1);
  equal(hosted.guests.map((guest) => guest.isAskedToLeave).join(), "false,true,false");
});

Deno.test("DetachRequest cannot ask where there is no region, no host or no such guest", () => {
  throws(() => DetachRequest.ask("/nowhere/region", "r"), ShimError);
  using hosted = new HostedRegion(1);
  throws(
    () => DetachRequest.ask(hosted.path, "r", 5),
    /guest 5 as it has no place for that guest: it has places for 0;/,
  );
  hosted.region.close();
  throws(() => DetachRequest.ask(hosted.path, "r"), RegionNotReadyError);
});

Deno.test("DetachRequest opens a region by another process's descriptor, as QEMU does", () => {
  const fd = sealedMemfd("culvert-test", 1 << 20);
  try {
    const path = `/proc/${Deno.pid}/fd/${fd}`;
    throws(
      () => DetachRequest.ask(path, "r"),
      /Cannot attach to region r as it does not begin with/,
    );
  } finally {
    shim.shim_fd_close(fd);
  }
});
