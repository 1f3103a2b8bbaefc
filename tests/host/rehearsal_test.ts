import { deepEqual, equal, ok } from "node:assert/strict";
import { shim } from "../../ffi/shim.ts";
import { rehearse as rehearseGuest } from "../../app/guest/rehearsal.ts";
import { rehearse as rehearseHost } from "../../app/host/rehearsal.ts";
import { readKernelFile } from "../../app/linux/kernel_file.ts";

/** The next file descriptor, and the lines of /proc about mapped memory files. */
function held(): { next: number; maps: number } {
  const next = shim.shim_eventfd();
  shim.shim_fd_close(next);
  return { next, maps: readKernelFile("/proc/self/maps").split("memfd:rehearsal").length };
}

for (const [side, rehearse] of Object.entries({ host: rehearseHost, guest: rehearseGuest })) {
  Deno.test(`a ${side}'s lcore that sleeps rehearses, and leaves nothing behind`, () => {
    rehearse("sleep");
    const before = held();
    const { passed, given } = rehearse("adaptive");
    ok(given > 20, `${given} frames`);
    equal(passed, given);
    deepEqual(held(), before);
  });

  Deno.test(`a ${side}'s lcore that polls does not rehearse`, () => {
    deepEqual(rehearse("poll"), { given: 0, passed: 0 });
  });
}
