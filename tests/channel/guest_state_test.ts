import { deepEqual, equal, throws } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { GUEST } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import {
  GUEST_STATE,
  GUEST_STATE_NAMES,
  GuestState,
  TRANSITIONS,
} from "../../app/channel/guest_state.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const STATES = Object.values(GUEST_STATE);

/** A guest's control memzone, as its host sees it, and where it starts. */
function guestIn(memory: MappedMemory): { host: GuestState; start: number; region: Region } {
  const region = Region.build(memory, "r0");
  const host = GuestState.add(region, 0, 2);
  return { host, start: region.zones[0].offset / 4, region };
}

for (const by of ["guest", "host"] as const) {
  Deno.test(`GuestState.move() by the ${by} does what TRANSITIONS allows, and nothing else`, () => {
    using memory = freshMemory(1 << 20);
    const { host, start } = guestIn(memory);
    for (const from of [...STATES, 6, 0xffffffff]) {
      for (const to of [...STATES, 6]) {
        memory.u32[start + GUEST.STATE] = from;
        const allowed = TRANSITIONS.some((t) => t.by === by && t.from === from && t.to === to);
        equal(host.move(by, from, to), allowed, `${from} -> ${to}`);
        equal(host.state, allowed ? to : from);
      }
    }
  });
}

/** The same table once more, as design.md and the reasons above TRANSITIONS tell it. */
const ALLOWED = {
  guest: ["ABSENT ATTACHING", "ATTACHING DETACHING", "RETIRED DETACHING", "RUNNING DETACHING"],
  host: [
    "ATTACHING ABSENT",
    "ATTACHING QUARANTINED",
    "ATTACHING RUNNING",
    "DETACHING ABSENT",
    "DETACHING QUARANTINED",
    "RETIRED ABSENT",
    "RUNNING ABSENT",
    "RUNNING QUARANTINED",
    "RUNNING RETIRED",
  ],
};

for (const by of ["guest", "host"] as const) {
  Deno.test(`TRANSITIONS of the ${by} are these ${ALLOWED[by].length}`, () => {
    const found = TRANSITIONS.filter((t) => t.by === by)
      .map(({ from, to }) => `${GUEST_STATE_NAMES[from]} ${GUEST_STATE_NAMES[to]}`);
    deepEqual(found.sort(), ALLOWED[by]);
  });
}

Deno.test("TRANSITIONS lead from ABSENT to every state, and back from all but QUARANTINED", () => {
  const reachable = (from: number, seen = new Set([from])): Set<number> => {
    for (const t of TRANSITIONS) {
      if (t.from === from && !seen.has(t.to)) reachable(t.to, seen.add(t.to));
    }
    return seen;
  };
  deepEqual([...reachable(GUEST_STATE.ABSENT)].sort(), STATES);
  for (const state of STATES.filter((state) => state !== GUEST_STATE.QUARANTINED)) {
    equal(reachable(state).has(GUEST_STATE.ABSENT), true, GUEST_STATE_NAMES[state]);
  }
  deepEqual([...reachable(GUEST_STATE.QUARANTINED)], [GUEST_STATE.QUARANTINED]);
});

Deno.test("GUEST_STATE_NAMES has each state's name at its number", () => {
  for (const [name, state] of Object.entries(GUEST_STATE)) equal(GUEST_STATE_NAMES[state], name);
});

Deno.test("GuestState.move() fails when the state has changed meanwhile", () => {
  using memory = freshMemory(1 << 20);
  const { host, region } = guestIn(memory);
  const guests = [GuestState.attach(region, 0), GuestState.attach(region, 0)];
  const { ABSENT, ATTACHING, RUNNING } = GUEST_STATE;
  deepEqual(guests.map((guest) => guest.move("guest", ABSENT, ATTACHING)), [true, false]);
  equal(host.move("host", ATTACHING, RUNNING), true);
  equal(host.move("host", ATTACHING, RUNNING), false);
});

Deno.test("GuestState.stateName tells any word, also a guest's own invention", () => {
  using memory = freshMemory(1 << 20);
  const { host, start } = guestIn(memory);
  equal(host.stateName, "ABSENT");
  memory.u32[start + GUEST.STATE] = GUEST_STATE.QUARANTINED;
  equal(host.stateName, "QUARANTINED");
  memory.u32[start + GUEST.STATE] = 77;
  equal(host.stateName, "state 77");
});

Deno.test("GuestState.attach() finds what add() made", () => {
  using memory = freshMemory(1 << 20);
  const { host, region } = guestIn(memory);
  GuestState.add(region, 1, 5);
  const [first, second] = [GuestState.attach(region, 0), GuestState.attach(region, 1)];
  deepEqual([first.channels, second.channels], [2, 5]);
  equal(first.incarnationWord, host.incarnationWord);
  second.move("guest", GUEST_STATE.ABSENT, GUEST_STATE.ATTACHING);
  equal(host.stateName, "ABSENT", "guests have memzones of their own");
  throws(() => GuestState.attach(region, 2), {
    message:
      /^Cannot find memzone g2 in region r0 as there is none of that name: kind GUEST is wanted$/,
  });
});

Deno.test("GuestState.beat() changes the heartbeat, also where it wraps", () => {
  using memory = freshMemory(1 << 20);
  const { host, start } = guestIn(memory);
  equal(host.heartbeat, 0);
  host.beat();
  equal(host.heartbeat, 1);
  memory.u32[start + GUEST.HEARTBEAT] = 0xffffffff;
  host.beat();
  equal(host.heartbeat, 0);
});

Deno.test("GuestState.introduce() tells the host who the guest is and what it wants", () => {
  using memory = freshMemory(1 << 20);
  const { host, region, start } = guestIn(memory);
  const guest = GuestState.attach(region, 0);
  deepEqual([host.pid, host.wantsMbufs], [0, false]);
  guest.introduce(4711, true);
  deepEqual([host.pid, host.wantsMbufs], [4711, true]);
  guest.introduce(4711, false);
  equal(host.wantsMbufs, false);
  memory.u32[start + GUEST.WANTS_MBUFS] = 2;
  equal(host.wantsMbufs, false, "only 1 is yes");
});

Deno.test("GuestState.retire() raises the incarnation, in the word that a guest watches", () => {
  using memory = freshMemory(1 << 20);
  const { host, region } = guestIn(memory);
  const guest = GuestState.attach(region, 0);
  host.retire();
  host.retire();
  equal(guest.incarnation, 2);
  equal(memory.load(guest.incarnationWord), 2);
  const late = GuestState.attach(region, 0);
  memory.u32[guest.incarnationWord] = 0xffffffff;
  late.retire();
  equal(guest.incarnation, 0);
});

Deno.test("GuestState believes no incarnation that a guest wrote, and mends it for the next one", () => {
  using memory = freshMemory(1 << 20);
  const { host, region } = guestIn(memory);
  const guest = GuestState.attach(region, 0);
  host.retire();
  memory.u32[guest.incarnationWord] = 77;
  guest.introduce(1, false);
  equal(host.isIntroduced, false);
  host.clear();
  equal(guest.incarnation, 1);
  guest.introduce(1, false);
  equal(host.isIntroduced, true);
  memory.u32[guest.incarnationWord] = 77;
  host.retire();
  equal(guest.incarnation, 2);
});

Deno.test("GuestState.clear() makes room for the next guest, whatever this one wrote", () => {
  using memory = freshMemory(1 << 20);
  const { host, start } = guestIn(memory);
  memory.u32[start + GUEST.STATE] = 77;
  host.clear();
  equal(host.stateName, "ABSENT");
});
