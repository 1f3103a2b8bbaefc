import { deepEqual, equal, notEqual, throws } from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { GUEST, STATE_WORD } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { GUEST_STATE, GUEST_STATE_NAMES, GuestState } from "../../app/channel/guest_state.ts";
import { TRANSITIONS } from "../../app/channel/transitions.ts";
import {
  type Claimant,
  incarnationBits,
  notifies,
  peerOf,
  presenceOf,
  wantsMbufs,
  withState,
} from "../../app/channel/state_word.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";

const STATES = Object.values(GUEST_STATE);

/** A guest's control memzone, as its host sees it, and where it starts. */
function guestIn(memory: MappedMemory): { host: GuestState; start: number; region: Region } {
  const region = Region.build(memory, "r0");
  const host = GuestState.add(region, 0, 2);
  return { host, start: region.zones[0].offset / 4, region };
}

const SOMEBODY: Claimant = { pid: 4711, wantsMbufs: false };

for (const by of ["guest", "host"] as const) {
  Deno.test(`GuestState.move() by the ${by} does what TRANSITIONS allows, and nothing else`, () => {
    using memory = freshMemory(1 << 20);
    const { host, start } = guestIn(memory);
    host.claim(SOMEBODY);
    const { word } = host;
    for (const from of [...STATES, 6, 7]) {
      for (const to of [...STATES, 6]) {
        memory.u32[start + GUEST.STATE] = withState(word, from);
        const allowed = TRANSITIONS.some((t) => t.by === by && t.from === from && t.to === to);
        equal(host.move(by, from, to), allowed, `${from} -> ${to}`);
        equal(host.word, withState(word, allowed ? to : from), "whose it is stays");
      }
    }
  });
}

/** The same table once more, as design.md and the reasons above TRANSITIONS tell it. */
const ALLOWED = {
  guest: ["ABSENT ATTACHING", "ATTACHING DETACHING", "RETIRED DETACHING", "RUNNING DETACHING"],
  host: [
    "ABSENT QUARANTINED",
    "ATTACHING ABSENT",
    "ATTACHING QUARANTINED",
    "ATTACHING RUNNING",
    "DETACHING ABSENT",
    "DETACHING QUARANTINED",
    "RETIRED ABSENT",
    "RETIRED QUARANTINED",
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
  const { ATTACHING, RUNNING } = GUEST_STATE;
  deepEqual(guests.map((guest) => guest.claim(SOMEBODY)), [1, undefined]);
  equal(host.move("host", ATTACHING, RUNNING), true);
  equal(host.move("host", ATTACHING, RUNNING), false);
});

Deno.test("GuestState.stateName tells any word, also a guest's own invention", () => {
  using memory = freshMemory(1 << 20);
  const { host, start } = guestIn(memory);
  equal(host.stateName, "ABSENT");
  memory.u32[start + GUEST.STATE] = GUEST_STATE.QUARANTINED;
  equal(host.stateName, "QUARANTINED");
  memory.u32[start + GUEST.STATE] = 0xffffffff;
  equal(host.stateName, "state 7");
});

Deno.test("GuestState.attach() finds what add() made", () => {
  using memory = freshMemory(1 << 20);
  const { host, region } = guestIn(memory);
  GuestState.add(region, 1, 5);
  const [first, second] = [GuestState.attach(region, 0), GuestState.attach(region, 1)];
  deepEqual([first.channels, second.channels], [2, 5]);
  equal(first.incarnationWord, host.incarnationWord);
  second.claim(SOMEBODY);
  equal(host.stateName, "ABSENT", "guests have memzones of their own");
  throws(() => GuestState.attach(region, 2), {
    message:
      /^Cannot use region r0 as guest 2 as it has no place for that guest: it has places for 0, 1; see --guest /,
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

for (const wants of [true, false]) {
  for (const rung of [true, false]) {
    for (const peer of [undefined, 0, 1, 65535]) {
      Deno.test(`GuestState.claim() tells all at once: mbufs ${wants}, rings ${rung}, peer ${peer}`, () => {
        using memory = freshMemory(1 << 20);
        const { host, region } = guestIn(memory);
        const guest = GuestState.attach(region, 0);
        equal(host.isClaim(host.word), false);
        equal(guest.claim({ pid: 4711, wantsMbufs: wants, peer, notifies: rung }), 1);
        const { word } = host;
        deepEqual([wantsMbufs(word), notifies(word), peerOf(word)], [wants, rung, peer]);
        deepEqual([host.state, host.pid], [GUEST_STATE.ATTACHING, 4711]);
        equal(host.isClaim(word), true);
      });
    }
  }
}

Deno.test("GuestState.claim() of a guest that loses changes nothing, nor can that guest move anything", () => {
  using memory = freshMemory(1 << 20);
  const { host, region } = guestIn(memory);
  host.claim(SOMEBODY);
  const { word } = host;
  const guest = GuestState.attach(region, 0);
  equal(guest.claim({ pid: 1, wantsMbufs: true, peer: 5 }), undefined);
  equal(guest.move("guest", GUEST_STATE.ATTACHING, GUEST_STATE.DETACHING), false);
  guest.introduceAgain(7, 1);
  deepEqual([host.word, host.pid], [word, 4711]);
});

Deno.test("GuestState.claim() fails under another host than the one that the region was attached under", () => {
  using memory = freshMemory(1 << 20);
  guestIn(memory).region.publish();
  const late = GuestState.attach(Region.attach(memory, "r0"), 0);
  const { host, region } = guestIn(memory);
  region.publish();
  deepEqual([late.incarnation, host.incarnation], [0, 0], "but for the epoch they are alike");
  equal(late.claim(SOMEBODY), undefined);
  equal(host.isVacant(host.word), true);
});

Deno.test("GuestState.move() by a guest fails in the zone of the next host, whoever is there", () => {
  using memory = freshMemory(1 << 20);
  const { ATTACHING, RUNNING, DETACHING } = GUEST_STATE;
  const first = guestIn(memory);
  first.host.claim(SOMEBODY);
  const { host, region } = guestIn(memory);
  const guest = GuestState.attach(region, 0);
  equal(guest.claim(SOMEBODY), 1);
  equal(host.move("host", ATTACHING, RUNNING), true);
  equal(first.host.move("guest", RUNNING, DETACHING), false);
  equal(host.state, RUNNING);
});

Deno.test("GuestState.introduceAgain() tells of each new server, also by the same id there", () => {
  using memory = freshMemory(1 << 20);
  const { host, region } = guestIn(memory);
  const guest = GuestState.attach(region, 0);
  guest.claim({ pid: 4711, wantsMbufs: true, peer: 1 });
  host.move("host", GUEST_STATE.ATTACHING, GUEST_STATE.RUNNING);
  const said = [presenceOf(host.word)];
  for (const [times, peer] of [[1, 1], [2, 1], [3, 9]]) {
    for (let i = 0; i < 2; i++) guest.introduceAgain(peer, times);
    equal(peerOf(host.word), peer);
    notEqual(presenceOf(host.word), said.at(-1));
    said.push(presenceOf(host.word));
  }
  equal(wantsMbufs(host.word), true);
  equal(guest.move("guest", GUEST_STATE.RUNNING, GUEST_STATE.DETACHING), true, "by its new name");
});

Deno.test("GuestState.takeOver() is for the same peer, or anybody where there was none", () => {
  for (const peer of [undefined, 3]) {
    for (const successor of [undefined, 2, 3]) {
      using memory = freshMemory(1 << 20);
      const { host, region } = guestIn(memory);
      host.claim({ ...SOMEBODY, peer });
      host.move("host", GUEST_STATE.ATTACHING, GUEST_STATE.RUNNING);
      const guest = GuestState.attach(region, 0);
      equal(guest.takeOver(successor), false, "nobody was retired");
      host.move("host", GUEST_STATE.RUNNING, GUEST_STATE.RETIRED);
      equal(guest.takeOver(successor), peer === undefined || peer === successor);
    }
  }
});

Deno.test("incarnations in the state word go around after 512, and differ until then, also of four hosts", () => {
  for (const near of [0, 500, 0xffffff00, 0xffffffff]) {
    const bits = Array.from({ length: 512 }, (_, i) => incarnationBits(7, (near + i) >>> 0));
    equal(new Set(bits).size, 512);
    equal(incarnationBits(7, (near + 512) >>> 0), bits[0]);
    deepEqual(bits.filter((bits) => bits !== (bits & STATE_WORD.INCARNATION) >>> 0), []);
  }
  const ofHosts = [0xfffffffe, 0xffffffff, 0, 1].flatMap((epoch) =>
    Array.from({ length: 60 }, (_, incarnation) => incarnationBits(epoch, incarnation))
  );
  equal(new Set(ofHosts).size, 240);
});

Deno.test("GuestState.claim() works where the incarnation goes around, in the word and at 2^32", () => {
  for (const last of [511, 512, 0xffffffff]) {
    using memory = freshMemory(1 << 20);
    const { host, region } = guestIn(memory);
    memory.u32[host.incarnationWord] = (last - 1) >>> 0;
    const again = GuestState.attach(region, 0); // a host that believes the word, once
    again.retire();
    again.clear();
    const next = (last + 1) >>> 0;
    equal(GuestState.attach(region, 0).claim(SOMEBODY), next);
    equal(again.isClaim(again.word), true);
    again.retire();
    equal(again.incarnation, next);
  }
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
  host.clear();
  memory.u32[guest.incarnationWord] = 77;
  equal(guest.claim(SOMEBODY), undefined, "the place is not as the host left it");
  host.clear();
  equal(guest.incarnation, 1);
  equal(guest.claim(SOMEBODY), 2);
  equal(host.isClaim(host.word), true);
  memory.u32[guest.incarnationWord] = 77;
  equal(host.isClaim(host.word), true, "nor does it matter to the host");
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
