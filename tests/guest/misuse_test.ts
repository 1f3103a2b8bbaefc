import { deepEqual, doesNotMatch, equal, match } from "node:assert/strict";
import type { FrameBurst } from "../../app/guest/function/frame_burst.ts";
import type { FrameFunction } from "../../app/guest/function/function_module.ts";
import { GUEST_COUNTER } from "../../app/guest/virtual_port.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { frame, tryFunction } from "../../app/testing.ts";
import { burstOf } from "../kit/burst_of.ts";
import { GuestLab, someFrame } from "./guest_lab.ts";

const FRAMES = Array.from({ length: 4 }, (_, i) => someFrame(60 + i, i));

/** What becomes of four frames and two empty mbufs, and what is said. */
async function after(work: FrameFunction, isChecked: boolean) {
  using lab = new GuestLab();
  const lines: string[] = [];
  const log = (line: string) => lines.push(line);
  const chain = await lab.chain({ default: work, originates: true }, {}, { log });
  const lane = lab.lane(0, 0, { isChecked });
  lab.host[0].lend.enqueueBulk(burstOf([200, dataWord(128, 0), 201, dataWord(128, 0)]), 2);
  lab.lend(FRAMES);
  lane.turn(chain);
  lab.outputs[0]!.flush();
  const [{ [GUEST_COUNTER.FAILED]: failed }] = lab.counters;
  const back = burstOf(Array(64).fill(0));
  const sent = lab.host[0].tx.dequeueBurst(back, 32);
  const mbufs = Array.from({ length: sent }, (_, i) => back.words[2 * i]);
  const places = Array.from({ length: sent }, (_, i) => back.words[2 * i + 1]);
  return { log: lines, failed, mbufs, places, givenBack: lab.givenBack() };
}

/** What a function may do wrong, and what is said: of the whole burst, or of one frame. */
const WRONGS: readonly (readonly [
  what: string,
  work: (burst: FrameBurst) => void,
  told: RegExp,
  failed: number,
])[] = [
  [
    "sets a count beyond the capacity",
    (burst) => (burst as { count: number }).count = 1000,
    /: Cannot set burst\.count to 1000: drop frames by drop\(\), make others by add\(\)/,
    4,
  ],
  [
    "sets a count of less",
    (burst) => (burst as { count: number }).count = 1,
    /: Cannot set burst\.count to 1: drop frames by/,
    4,
  ],
  [
    "sends a frame twice by the words",
    ({ words }) => words[4] = words[2],
    /has failed: Cannot send frame 2 a second time, as burst\.words has it/,
    4,
  ],
  ["drops a frame that is not there", (burst) => burst.drop(4), /Cannot use frame 4 as the/, 4],
  [
    "drops frame -1",
    (burst) => burst.drop(-1),
    /thrown: Cannot use frame -1 as the burst has 4/,
    4,
  ],
  ["sends frame -1", (burst) => burst.sendTo(-1, 0), /thrown: Cannot use frame -1 as the/, 4],
  ["copies frame 7", (burst) => burst.copyTo(7, 0), /thrown: Cannot use frame 7 as the burst/, 4],
  ["reads frame 4", (burst) => burst.u8(4, 0), /thrown: Cannot use frame 4 as the burst has 4/, 4],
  ["appends to frame 9", (burst) => burst.append(9, 4), /thrown: Cannot use frame 9 as the/, 4],
  [
    "writes behind a frame",
    (burst) => burst.setU16(0, 59, 1),
    /Cannot use 2 bytes at offset 59/,
    4,
  ],
  [
    "cuts a frame off",
    (burst) => burst.trim(1, 54),
    /failed: Cannot send frame 1 of 7 bytes: 14 /,
    1,
  ],
  ["makes a frame too long", (burst) => burst.append(3, 1500), /Cannot send frame 3 of 1563 by/, 1],
  [
    "makes an empty frame",
    (burst) => burst.add(0),
    /failed: Cannot send frame 4 of 0 bytes: 14 /,
    1,
  ],
];

for (const isChecked of [false, true]) {
  for (const [what, work, told, failed] of WRONGS) {
    const title = `a function that ${what} fails, all mbufs go back once`;
    Deno.test(`${title}${isChecked ? ", and --check tells the place" : ""}`, async () => {
      const found = await after(work, isChecked);
      equal(found.log.length, 1);
      match(found.log[0], told);
      equal(found.failed, failed);
      const back = [...found.mbufs, ...found.givenBack];
      deepEqual(back.filter((mbuf) => mbuf < 200).sort(), [0, 1, 2, 3]);
      equal(new Set(back).size, back.length);
      for (const word of found.places) equal(word >>> 16 >= 14 && word >>> 16 <= 1522, true);
      if (isChecked) match(found.log[0], / at .*misuse_test\.ts:\d+:\d+/);
    });
  }
}

/** What a function may do wrong with the words, and the first words of what is said. */
const WORDS: readonly (readonly [
  what: string,
  work: (burst: FrameBurst) => void,
  late: RegExp,
  atOnce: RegExp,
])[] = [
  [
    "an mbuf that is not the burst's",
    ({ words }) => words[0] = 77,
    /Cannot send frame 0 in an mbuf that is not the burst's, as burst.words has it; --check tells/,
    /Cannot set burst.words\[0\] to 77 as that is no frame of the burst: .*misuse_test/,
  ],
  [
    "flags in front of an index",
    ({ words }) => words[2] |= 1 << 25,
    /Cannot send frame 1 in an mbuf that is not the burst's/,
    /Cannot set burst.words\[2\] to 33554433 as that is no frame of the burst: .*misuse_test/,
  ],
  [
    "an offset beyond the mbuf",
    ({ words }) => words[3] = dataWord(60_000, 60),
    /Cannot send frame 1 beyond its mbuf, as burst.words has it; --check tells where/,
    /Cannot set burst.words\[3\] to \d+ as that is beyond the mbuf: .* may be 2368 .*misuse_test/,
  ],
  [
    "a length beyond the mbuf",
    ({ words }) => words.set([dataWord(128, 5000)], 7),
    /Cannot send frame 3 beyond its mbuf, as burst.words has it; --check tells where/,
    /Cannot send frame 3 beyond its mbuf, as burst.words has it at .*misuse_test/,
  ],
];

for (const [what, work, late, atOnce] of WORDS) {
  Deno.test(`burst.words with ${what} is refused before it is sent, by --check where it is set`, async () => {
    const [unchecked, checked] = [await after(work, false), await after(work, true)];
    match(unchecked.log[0], late);
    doesNotMatch(unchecked.log[0], /\.ts/);
    match(checked.log[0], atOnce);
    for (const { mbufs, givenBack } of [unchecked, checked]) {
      deepEqual([mbufs, givenBack.toSorted()], [[], [0, 1, 2, 3]]);
    }
  });
}

Deno.test("burst.words may be put into another order, and shortened", async () => {
  for (const isChecked of [false, true]) {
    const { log, mbufs, places } = await after(({ words }) => {
      [words[0], words[1], words[6], words[7]] = [words[6], words[7], words[0], words[1]];
      words[3] = dataWord(130, 58);
    }, isChecked);
    deepEqual(log, []);
    deepEqual(mbufs, [3, 1, 2, 0]);
    deepEqual(places.map((word) => word >>> 16), [63, 58, 62, 60]);
  }
});

Deno.test("burst.words that a function has kept are looked at in each burst", async () => {
  using lab = new GuestLab();
  const lines: string[] = [];
  let kept: Uint32Array | undefined;
  const work = (burst: FrameBurst) => {
    kept ??= burst.words;
    kept[2] = kept[0];
  };
  const chain = await lab.chain({ default: work }, {}, { log: (line) => lines.push(line) });
  const lane = lab.lane();
  for (let turn = 0; turn < 3; turn++) {
    lab.lend(FRAMES);
    lane.turn(chain);
  }
  equal(chain.failures, 3);
  deepEqual(lab.givenBack().toSorted((a, b) => a - b), [...Array(12).keys()]);
});

Deno.test("a function that keeps the burst finds no frame in it afterwards", async () => {
  let kept: FrameBurst | undefined;
  await after((burst) => kept = burst, false);
  equal(kept!.count, 0);
  for (const use of [() => kept!.drop(0), () => kept!.append(0, 1)]) {
    let message = "";
    try {
      use();
    } catch (error) {
      ({ message } = error as Error);
    }
    match(message, /^Cannot use frame 0 as the burst has none/);
  }
});

Deno.test("--check wants whole numbers, and frames that are there", async () => {
  const works: ((burst: FrameBurst) => unknown)[] = [
    (burst) => burst.u8(0.5, 0),
    (burst) => burst.u16(0, 0.5),
    (burst) => burst.length(4),
    (burst) => burst.headroom(-1),
    (burst) => burst.bytes(NaN),
    (burst) => burst.isDropped(9),
    (burst) => burst.append(0, 0.5),
    (burst) => burst.drop(1.5),
  ];
  for (const work of works) {
    const { log } = await after((burst) => void work(burst), true);
    match(log[0], /has thrown: Cannot (use|let) .* at .*misuse_test\.ts:\d+:\d+/);
  }
});

for (const isChecked of [false, true]) {
  const how = isChecked ? " with --check" : "";
  Deno.test(`an index or offset that is no whole number is told as that${how}`, async () => {
    const works: [(burst: FrameBurst) => unknown, RegExp][] = [
      [(burst) => burst.drop("9" as never), /frame "9" \(a string\): a whole number is wanted/],
      [(burst) => burst.drop(NaN), /Cannot use frame NaN: a whole number is wanted/],
      [(burst) => burst.u8(0, 99.5), /offset 99\.5 of frame 0: a whole number is wanted/],
    ];
    for (const [work, told] of works) {
      match((await after((burst) => void work(burst), isChecked)).log[0], told);
    }
    if (!isChecked) return;
    const { log } = await after((burst) => void burst.drop("0" as never), true);
    match(log[0], /Cannot use frame "0" \(a string\): a whole number is wanted/);
    const offset = await after((burst) => void burst.u8(0, 1.5), true);
    match(offset.log[0], /Cannot use offset 1\.5 of frame 0: a whole number is wanted/);
  });
}

Deno.test("tryFunction() has the checks of --check, and tells of the frame that cannot be sent", async () => {
  const short = await tryFunction((burst) => burst.trim(1, 40), [frame.udp(), frame.arp()]);
  deepEqual(short.frames.map(({ what }) => what), ["sent", "failed"]);
  match(
    short.log[0],
    /Cannot send frame 1 of 2 bytes: 14 to \d+ can be sent at .*misuse_test\.ts:/,
  );
  const twice = await tryFunction(({ words }) => words[2] = words[0], [frame.udp(), frame.arp()]);
  match(String(twice.frames[0].error), /Cannot send frame 1 a second time, .* at .*misuse_test/);
});
