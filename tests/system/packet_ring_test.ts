/**
 * A packet port's ring, which it shares with the kernel.
 *
 * @module
 */
import { equal, ok } from "node:assert/strict";
import { check } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { HEADROOM_BYTES } from "../../app/memory/layout.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { openPackets, PacketPort } from "../../app/port/packet_port.ts";
import { openTaps, TapPort } from "../../app/port/tap_port.ts";
import { Burst } from "../../app/ring/burst.ts";
import { PortLab } from "../port/port_lab.ts";

const MBUFS = 256, BURST = 32;

/** A TAP, and a packet port that receives what is written to it. */
function stage() {
  const [sending, receiving] = [new PortLab(MBUFS), new PortLab(MBUFS)];
  const name = `cvr${Deno.pid}`;
  const tap = new TapPort(openTaps(name, 1500, 1)[0], sending);
  const [setup] = openPackets(name);
  const burst = Burst.of(BURST);
  const send = (count: number) => {
    equal(sending.mempool.allocBulk(burst, count), count);
    for (let i = 0; i < count; i++) burst.words[2 * i + 1] = dataWord(HEADROOM_BYTES, 64);
    equal(tap.txBurst(burst, count), count);
  };
  const received = (port: PacketPort) => {
    let all = 0, n;
    while ((n = port.rxBurst(burst, BURST)) > 0) {
      receiving.mempool.free(burst, n);
      all += n;
    }
    return all;
  };
  const close = () => {
    tap.close();
    for (const lab of [sending, receiving]) lab[Symbol.dispose]();
  };
  return { setup, receiving, send, received, [Symbol.dispose]: close };
}

function copyOf(fd: number): number {
  const copy = check(shim.shim_eventfd(), "make a descriptor");
  check(shim.shim_fd_copy(fd, copy), "copy a descriptor");
  return copy;
}

/** Have the kernel take all slots of a socket's ring for occupied; returns the ring, mapped. */
function stickRing(fd: number): MappedMemory {
  const slots = MappedMemory.ofFile(fd, 1 << 22, "the ring");
  for (let at = 0; at < slots.bytes; at += 1 << 16) {
    for (let slot = 0; slot < 33; slot++) slots.store((at + slot * 1984) / 4, 2); // whose it is
  }
  return slots;
}

Deno.test("a packet port goes on where the last user of its socket has ended, and loses nothing", () => {
  using it = stage();
  const { setup, receiving } = it;
  const kept = copyOf(setup.rxFd);
  const first = new PacketPort(setup, receiving);
  it.send(20);
  equal(it.received(first), 20);
  it.send(12);
  first.close();
  const second = new PacketPort({ ...setup, rxFd: kept, txFd: -1, wholeFd: -1 }, receiving);
  it.send(10);
  equal(it.received(second), 22);
  second.close();
});

for (const isRefused of [false, true]) {
  const then = isRefused ? "opens another socket if it may not" : "counts what was lost";
  Deno.test(`a packet port whose ring the kernel takes for full makes it anew, and ${then}`, () => {
    using it = stage();
    const { setup, receiving } = it;
    const port = new PacketPort(setup, receiving);
    it.send(5);
    equal(it.received(port), 5);
    port.refresh();
    const slots = stickRing(setup.rxFd); // while it is mapped here, too, the kernel says EBUSY
    if (!isRefused) slots.close();
    it.send(7);
    equal(it.received(port), 0);
    port.refresh();
    ok(receiving.counters[COUNTER.MISSED] >= 7);
    if (isRefused) slots.close();
    it.send(9);
    equal(it.received(port), 9);
    port.close();
  });
}

Deno.test("a packet port whose socket has lost its ring is down until it has another socket", () => {
  using it = stage();
  const { setup, receiving } = it;
  const none = new Uint8Array(16);
  check(shim.shim_socket_set(setup.rxFd, 263, 5, none, none.length), "take the ring away");
  const port = new PacketPort(setup, receiving);
  equal(port.isUp, false);
  it.send(3);
  equal(it.received(port), 0);
  port.refresh();
  equal(port.isUp, true);
  it.send(9);
  equal(it.received(port), 9);
  port.close();
});

Deno.test("a packet port without an mbuf throws frames away, counts them, and goes on", () => {
  using it = stage();
  const { setup, receiving } = it;
  const port = new PacketPort(setup, receiving);
  const all = Burst.of(MBUFS);
  equal(receiving.mempool.allocBulk(all, MBUFS), MBUFS);
  it.send(5);
  equal(it.received(port), 0);
  equal(receiving.counters[COUNTER.NO_MBUF], 5);
  receiving.mempool.free(all, MBUFS);
  it.send(3);
  equal(it.received(port), 3);
  port.close();
});
