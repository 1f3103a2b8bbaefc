import { GUEST_COUNTER, type GuestCounters } from "../../app/guest/virtual_port.ts";

/** Counters of a virtual port, all 0. */
export function newGuestCounters(): GuestCounters {
  return new Float64Array(new SharedArrayBuffer(GUEST_COUNTER.COUNT * 8));
}

/** What a virtual port counts of frames, by name. */
export function counted(counters: GuestCounters): Record<string, number> {
  const names = Object.entries(GUEST_COUNTER).filter(([name]) =>
    !["COUNT", "NOTIFIED", "FAILED"].includes(name)
  );
  return Object.fromEntries(names.map(([name, at]) => [name, counters[at]]));
}
