import { deepEqual, equal } from "node:assert/strict";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";
import { MBUF_STRIDE_BYTES, ZONE_KIND } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { dataWord, Mbufs } from "../../app/mempool/mbuf.ts";
import { SpscRing } from "../../app/ring/spsc_ring.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

const BYTES = 1 << 20;

/** Where hugepages force a mapping to begin: not at its buffer's start. */
const START = 3 * 65536;

/** Memory that is mapped as hugepages may be. */
function shifted(): MappedMemory & Disposable {
  const pages = (START + BYTES) / 65536;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const buffer = new Uint8Array(memory.buffer as unknown as ArrayBuffer, START);
  const map = shim.shim_map(buffer, BigInt(BYTES), -1, 0n);
  const mapped = new MappedMemory({ memory, start: START, map, bytes: BYTES });
  return Object.assign(mapped, { [Symbol.dispose]: () => mapped.close() });
}

Deno.test("A mapping that begins inside its buffer is the same to the shim and to typed arrays", () => {
  using memory = shifted();
  equal(memory.u8.length, BYTES);
  memory.u32[7] = 4711;
  equal(memory.load(7), 4711);
  memory.store(BYTES / 4 - 1, 0x04030201);
  deepEqual([...memory.u8.subarray(BYTES - 4)], [1, 2, 3, 4]);
});

Deno.test("Rings and mbufs lie where they are told in a mapping that begins inside its buffer", () => {
  using memory = shifted();
  const region = Region.build(memory, "shifted");
  const { offset } = region.addMemzone("ring", ZONE_KIND.RING, SpscRing.bytes(8), 8);
  const [producer, consumer] = [0, 1].map(() => new SpscRing(memory, offset, 8));
  const mbufs = region.addMemzone(
    "mbufs",
    ZONE_KIND.MBUFS,
    4 * MBUF_STRIDE_BYTES,
    MBUF_STRIDE_BYTES,
  );
  const view = new Mbufs(memory, { offset: mbufs.offset, stride: MBUF_STRIDE_BYTES, count: 4 });
  const burst = burstOf([3, dataWord(128, 60)]);
  const byte = view.frameByte(burst.words[0], burst.words[1]);
  equal(byte, mbufs.offset + 3 * MBUF_STRIDE_BYTES + 128);
  view.u8.fill(0xab, byte, byte + 60);
  equal(memory.u8[byte + 59], 0xab);
  equal(view.u16[byte / 2], 0xabab);
  producer.enqueueBulk(burst, 1);
  deepEqual([...memory.u32.subarray(offset / 4 + 64, offset / 4 + 66)], [...burst.words]);
  const received = Burst.of(1);
  equal(consumer.dequeueBulk(received, 1), 1);
  deepEqual([...received.words], [...burst.words]);
});
