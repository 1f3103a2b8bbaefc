import { deepEqual, equal } from "node:assert/strict";
import { COUNTER } from "../../app/port/counters.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { keepSound } from "../../app/port/xdp_received.ts";
import { Burst } from "../../app/ring/burst.ts";
import { PortLab } from "./port_lab.ts";

Deno.test("keepSound() drops and counts frames that are too short or too long, and keeps the order", () => {
  using lab = new PortLab(64);
  const burst = Burst.of(16);
  const lengths = [13, 14, 1522, 1523, 60, 0, 61];
  const at = 3;
  equal(lab.mempool.allocBulk(burst, lengths.length, at), lengths.length);
  lengths.forEach((length, i) => burst.words[2 * (at + i) + 1] = dataWord(256, length));
  const indexes = lengths.map((_, i) => burst.words[2 * (at + i)]);
  burst.words.fill(7, 0, 2 * at);
  equal(keepSound(lab, burst, lengths.length, at), 4);
  const kept = [1, 2, 4, 6].flatMap((i) => [indexes[i], dataWord(256, lengths[i])]);
  deepEqual([...burst.words.subarray(2 * at, 2 * at + 8)], kept);
  deepEqual([...burst.words.subarray(0, 2 * at)], Array(2 * at).fill(7));
  const { RX, RUNT, OVERSIZE } = COUNTER;
  deepEqual([RX, RUNT, OVERSIZE].map((counter) => lab.counters[counter]), [3, 2, 1]);
  lab.mempool.free(burst, 4, at);
  lab.checkAllFree();
});
