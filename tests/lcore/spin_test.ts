import { equal } from "node:assert/strict";
import { Spin } from "../../app/lcore/spin.ts";

const SPIN_NS = 200_000;

Deno.test("Spin.giveWay() ends spins until work has come soon for as long as a spin takes", () => {
  const spin = new Spin();
  equal(spin.nanoseconds, SPIN_NS);
  spin.giveWay();
  for (let i = 0; i < 39; i++) spin.learn(5000);
  equal(spin.nanoseconds, 0);
  spin.learn(5000);
  equal(spin.nanoseconds, SPIN_NS);
});

Deno.test("Spin.giveWay() ends spins for longer if work comes late", () => {
  const spin = new Spin();
  spin.giveWay();
  spin.learn(9_900_000);
  equal(spin.nanoseconds, 0);
  spin.learn(201_000);
  equal(spin.nanoseconds, SPIN_NS);
});
