import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Mbufs } from "../../app/mempool/mbuf.ts";
import { SoakFrames } from "../soak/soak_frame.ts";
import type { Lab } from "../kit/lab.ts";
import { CANARY, MBUF_HEAD, plain } from "./canary.ts";
import { LeakJudge } from "./leak_judge.ts";
import { type Attack, ATTACKED_PLACES, besiegePorts } from "./port_siege.ts";
import { Burst } from "../../app/ring/burst.ts";

/** One that is always the same, and one that never is. */
const SEEDS = [20, crypto.getRandomValues(new Uint32Array(1))[0] >>> 2];

/** A besieger in each place, as a process. */
async function processes(lab: Lab, region: string, seed: number): Promise<Attack> {
  const program = fileURLToPath(new URL("./besieger_process.ts", import.meta.url));
  const deno = [Deno.execPath(), "run", "-A", "--no-check", program];
  const besiegers = Array.from(
    { length: ATTACKED_PLACES },
    (_, own) => lab.start(...deno, region, ...[ATTACKED_PLACES, own, seed * 2 + own].map(String)),
  );
  for (const besieger of besiegers) await besieger.stderrLine(/ready/);
  return {
    async begin() {
      for (const besieger of besiegers) await besieger.write("go");
    },
    async end() {
      const ends = besiegers.map((besieger) => besieger.stop("SIGKILL"));
      const said = (await Promise.all(ends)).map(({ stderr }) => stderr.trim());
      return said.every((line) => line === "ready") ? "" : `attackers have failed: ${said}`;
    },
  };
}

for (const [i, seed] of SEEDS.entries()) {
  Deno.test(`A host with TAPs and veths under siege, ${i + 1} of its cores at work, keeps its promises, seed ${seed}`, async () => {
    const siege = await besiegePorts({ seed, seconds: 5, lcores: i + 1 }, processes);
    console.log(`  seed ${seed}: ${siege.told}`);
    assert.deepEqual(siege.complaints, [], siege.summary);
    assert.match(siege.summary, /^ {2}violations by guest [01] of region /m);
  });
}

/** A judge of frames up to 100 bytes, and memory for one. */
function court() {
  const memory = MappedMemory.ofProcess(4096);
  const mbufs = new Mbufs(memory, { offset: 0, stride: 2048, count: 2 });
  return { mbufs, judge: new LeakJudge(100, 7) };
}

/** A word, as it lies in memory. */
function bytesOf(word: number): Uint8Array {
  return new Uint8Array(Uint32Array.of(word).buffer);
}

Deno.test("A canary in a frame that has left is noticed, wherever it begins, and whole ones alone", () => {
  const { mbufs, judge } = court();
  for (let at = 0; at <= 60; at++) {
    mbufs.u8.fill(0).set(bytesOf(CANARY), 128 + at);
    judge.look(mbufs, 128, 60);
    assert.equal(judge.leaks.canaries, Math.min(at + 1, 57), `canary at ${at}`);
  }
});

Deno.test("A frame that has left and went on in another mbuf is noticed; one may begin where its mbuf does", () => {
  const { mbufs, judge } = court();
  for (let at = 0; at <= 60; at++) {
    mbufs.u8.fill(0).set(bytesOf(MBUF_HEAD), 128 + at);
    judge.look(mbufs, 128, 60);
    assert.equal(judge.leaks.crossing, Math.min(at, 56), `head at ${at}`);
  }
});

Deno.test("What besiegers write into mbufs makes no canary and no head, on whichever byte", () => {
  const { mbufs, judge } = court();
  const words = [CANARY, MBUF_HEAD, 0xffffffff, 0x1d0ddba1, 0xf00d0bad];
  for (const [i, word] of [...words, ...words.toReversed()].entries()) {
    mbufs.u32[32 + i] = plain(word);
  }
  judge.look(mbufs, 128, 40);
  assert.deepEqual([judge.leaks.canaries, judge.leaks.crossing, judge.firstLeak], [0, 0, ""]);
});

Deno.test("A frame that has left longer than the limit, or shorter than a header, is noticed", () => {
  const { mbufs, judge } = court();
  for (const bytes of [13, 14, 100, 101]) judge.look(mbufs, 128, bytes);
  const { tooLong, tooShort, left } = judge.leaks;
  assert.deepEqual({ left, tooLong, tooShort }, { left: 4, tooLong: 1, tooShort: 1 });
  assert.match(judge.firstLeak, /^13 bytes: 0{26}$/);
});

Deno.test("A frame of another region that has left, or half of one, is noticed", () => {
  const { mbufs, judge } = court();
  const burst = Burst.of(1);
  for (const [run, strays] of [[7, 1], [8, 1], [7, 2]]) {
    new SoakFrames(run, 100).write(mbufs, burst, 0, { flow: 0, number: 3, stamp: 4 });
    const { length, byte } = {
      length: burst.words[1] >>> 16,
      byte: mbufs.frameByte(0, burst.words[1]),
    };
    judge.look(mbufs, byte, strays === 2 ? length - 20 : length);
    assert.equal(judge.leaks.strays, strays);
  }
});
