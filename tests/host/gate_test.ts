import { deepEqual, equal } from "node:assert/strict";
import { check } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { Gate, GateFollower } from "../../app/host/gate.ts";

/** A gate for `lcores`, their ends of it, and how often each has reset its rings. */
class GateLab implements Disposable {
  readonly gate: Gate;
  readonly keepers: GateFollower[];
  readonly resets: number[];

  constructor(lcores: number) {
    this.gate = Gate.create(lcores);
    this.resets = Array(lcores).fill(0);
    this.keepers = this.resets.map((_, lcore) =>
      new GateFollower(this.gate.handle, lcore, () => this.resets[lcore]++)
    );
  }

  /** Who sees the gate open. */
  get open(): boolean[] {
    return this.keepers.map((keeper) => keeper.isOpen);
  }

  [Symbol.dispose](): void {
    new MappedMemory(this.gate.handle).close();
  }
}

Deno.test("Gate is closed at first, and that needs no acknowledgement", () => {
  using lab = new GateLab(2);
  equal(lab.gate.isAcknowledged, true);
  for (const keeper of lab.keepers) keeper.follow();
  deepEqual(lab.open, [false, false]);
  deepEqual(lab.resets, [0, 0]);
});

Deno.test("GateFollower resets its rings when the gate opens, once, before it lets anybody through", () => {
  const gate = Gate.create(1);
  using memory = Object.assign(new MappedMemory(gate.handle), {
    [Symbol.dispose]: () => memory.close(),
  });
  const resets: boolean[] = [];
  const keeper = new GateFollower(gate.handle, 0, () => resets.push(gate.isAcknowledged));
  gate.open(false);
  equal(keeper.isOpen, false);
  keeper.follow();
  keeper.follow();
  equal(keeper.isOpen, true);
  deepEqual(resets, [false], "once, and not yet acknowledged");
});

Deno.test("Gate.isAcknowledged only once every lcore has followed", () => {
  using lab = new GateLab(3);
  const { gate, keepers } = lab;
  for (const change of [() => gate.open(false), () => gate.close(), () => gate.open(true)]) {
    change();
    for (const lcore of [1, 0, 2]) {
      equal(gate.isAcknowledged, false);
      keepers[lcore].follow();
    }
    equal(gate.isAcknowledged, true);
  }
  deepEqual(lab.resets, [2, 2, 2]);
});

Deno.test("GateFollower.follow() resets no rings when the gate closes", () => {
  using lab = new GateLab(1);
  lab.gate.open(true);
  lab.keepers[0].follow();
  lab.gate.close();
  deepEqual(lab.open, [true], "not yet followed");
  lab.keepers[0].follow();
  deepEqual(lab.open, [false]);
  deepEqual(lab.resets, [1]);
  equal(lab.keepers[0].wantsMbufs, false);
});

for (const wantsMbufs of [true, false]) {
  Deno.test(`GateFollower.wantsMbufs is ${wantsMbufs} if the gate was opened so`, () => {
    using lab = new GateLab(1);
    lab.gate.open(!wantsMbufs);
    lab.keepers[0].follow();
    lab.gate.close();
    lab.keepers[0].follow();
    lab.gate.open(wantsMbufs);
    lab.keepers[0].follow();
    equal(lab.keepers[0].wantsMbufs, wantsMbufs);
  });
}

Deno.test("a gate that was closed and opened between two looks is another: its rings are reset", () => {
  using lab = new GateLab(1);
  lab.gate.open(false);
  lab.keepers[0].follow();
  lab.gate.close();
  lab.gate.open(false);
  equal(lab.gate.isAcknowledged, false);
  lab.keepers[0].follow();
  equal(lab.gate.isAcknowledged, true);
  deepEqual(lab.resets, [2]);
});

Deno.test("GateFollower.wake() wakes by the vector that it is given, and not by one that is missing", () => {
  using lab = new GateLab(1);
  const [keeper] = lab.keepers;
  const eventfds = [0, 1].map(() => check(shim.shim_eventfd(), "make an eventfd"));
  lab.gate.open(false, [eventfds[0], -1, eventfds[1]]);
  keeper.follow();
  equal(keeper.canWake, true);
  deepEqual([1, 2, 3].map((vector) => keeper.wake(vector)), [false, true, false]);
  deepEqual(eventfds.map((fd) => shim.shim_eventfd_drain(fd)), [0, 1]);
  for (const fd of eventfds) shim.shim_fd_close(fd);
});
