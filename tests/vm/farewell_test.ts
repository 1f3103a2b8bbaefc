import { equal, match, ok, throws } from "node:assert/strict";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { RegionNotReadyError } from "../../app/memory/region.ts";
import { Farewell } from "../../app/vm/farewell.ts";
import { ShimError, UsageError } from "../../ffi/error.ts";
import { sealedMemfd } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { attach, HostedRegion } from "./hosted_region.ts";

const { ABSENT, RUNNING, DETACHING } = GUEST_STATE;

Deno.test("Farewell asks the guest to leave until it is disposed of", () => {
  using hosted = new HostedRegion(1);
  const [guest] = hosted.guests;
  {
    using farewell = Farewell.ask(hosted.path, "r");
    equal(farewell.guest, 0);
    equal(guest.isAskedToLeave, true);
  }
  equal(guest.isAskedToLeave, false);
});

Deno.test("Farewell waits until the host has taken back what the guest held, and a second more", async () => {
  using hosted = new HostedRegion(1);
  const [guest] = hosted.guests;
  attach(guest);
  using farewell = Farewell.ask(hosted.path, "r");
  let absentAt = 0;
  setTimeout(() => guest.move("guest", RUNNING, DETACHING), 100);
  setTimeout(() => {
    guest.move("host", DETACHING, ABSENT);
    absentAt = performance.now();
  }, 300);
  equal(await farewell.isGone(20_000), true);
  ok(absentAt > 0 && performance.now() - absentAt >= 950, "time to unmap");
});

Deno.test("Farewell does not take a guest for gone that only says so while its host lives", async () => {
  using hosted = new HostedRegion(1);
  const [guest] = hosted.guests;
  attach(guest);
  using farewell = Farewell.ask(hosted.path, "r");
  equal(await farewell.isGone(200), false);
  equal(farewell.stateName, "RUNNING");
  guest.move("guest", RUNNING, DETACHING);
  equal(await farewell.isGone(4000), false);
  equal(farewell.stateName, "DETACHING");
});

Deno.test("Farewell takes a guest for gone that has left when the host is dead", async () => {
  using hosted = new HostedRegion(1);
  const [guest] = hosted.guests;
  attach(guest);
  hosted.die();
  using farewell = Farewell.ask(hosted.path, "r");
  guest.move("guest", RUNNING, DETACHING);
  equal(await farewell.isGone(20_000), true);
});

Deno.test("Farewell wants to know which guest if the region has several, and asks that one", () => {
  using hosted = new HostedRegion(3);
  throws(() => Farewell.ask(hosted.path, "r"), (error) => {
    match(
      (error as Error).message,
      /region r to leave as it has 3 places: say which by --guest \(0/,
    );
    return error instanceof UsageError;
  });
  using farewell = Farewell.ask(hosted.path, "r", 1);
  equal(farewell.guest, 1);
  equal(hosted.guests.map((guest) => guest.isAskedToLeave).join(), "false,true,false");
});

Deno.test("Farewell cannot ask where there is no region, no host or no such guest", () => {
  throws(() => Farewell.ask("/nowhere/region", "r"), ShimError);
  using hosted = new HostedRegion(1);
  throws(() => Farewell.ask(hosted.path, "r", 5), /Cannot find memzone g5 in region r/);
  hosted.region.close();
  throws(() => Farewell.ask(hosted.path, "r"), RegionNotReadyError);
});

Deno.test("Farewell opens a region by another process's descriptor, as QEMU does", () => {
  const fd = sealedMemfd("culvert-test", 1 << 20);
  try {
    const path = `/proc/${Deno.pid}/fd/${fd}`;
    throws(() => Farewell.ask(path, "r"), /Cannot attach to region r as it does not begin with/);
  } finally {
    shim.shim_fd_close(fd);
  }
});
