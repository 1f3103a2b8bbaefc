import { deepEqual, equal } from "node:assert/strict";
import { newQueues, PortQueue } from "../../app/port/port_queue.ts";
import { PlainKernelPort } from "./plain_kernel_port.ts";
import { PortLab } from "./port_lab.ts";

/** The queues of a port on interface 7, each as its lcore has it. */
function queues(count: number): PortQueue[] {
  return newQueues(count, 7).map((setup) => new PortQueue(structuredClone(setup)));
}

/** What each says, one after another. */
function settled(all: readonly PortQueue[]): boolean[] {
  return all.map((queue) => queue.hasSettled());
}

Deno.test("PortQueue settles at the second look that finds all queues on one interface", () => {
  const all = queues(2);
  deepEqual(settled(all), [false, false]);
  deepEqual(settled(all), [true, true]);
  deepEqual(settled(all), [false, false], "and anew after the next time that it is down");
});

Deno.test("PortQueue does not settle before the last queue has come, then after another look", () => {
  const all = queues(3);
  for (const queue of all) queue.moveTo(0);
  all[0].moveTo(9);
  all[1].moveTo(9);
  for (let look = 0; look < 3; look++) deepEqual(settled(all), [false, false, false]);
  all[2].moveTo(9);
  equal(all[0].hasSettled(), false);
  equal(all[0].hasSettled(), true);
});

Deno.test("PortQueue that had settled half begins anew if a queue leaves meanwhile", () => {
  const all = queues(2);
  equal(all[0].hasSettled(), false);
  all[1].moveTo(0);
  equal(all[0].hasSettled(), false);
  all[1].moveTo(7);
  equal(all[0].hasSettled(), false);
  equal(all[0].hasSettled(), true);
});

Deno.test("KernelPort of a queue is up again only once all queues are there", () => {
  using lab = new PortLab(64);
  const [own, other] = newQueues(2, 7);
  const port = new PlainKernelPort(lab, own);
  const second = new PortQueue(other);
  const look = () => {
    port.refresh();
    return port.isUp;
  };
  second.moveTo(0);
  port.isUp = false;
  deepEqual([look(), look(), look()], [false, false, false]);
  second.moveTo(7);
  deepEqual([look(), look()], [false, true]);
  const alone = new PlainKernelPort(lab);
  alone.isUp = false;
  alone.refresh();
  equal(alone.isUp, true);
  for (const its of [port, alone]) its.close();
});
