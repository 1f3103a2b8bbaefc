import { equal, match } from "node:assert/strict";
import { Ledger } from "../../app/channel/ledger.ts";
import { nothingTaken } from "../../app/channel/taken_back.ts";
import { DESCRIPTOR_FLAG } from "../../app/memory/layout.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { FramesLab } from "./frames_lab.ts";
import { Burst } from "../../app/ring/burst.ts";
import { burstOf } from "../kit/burst_of.ts";

const { MORE, SHARED } = DESCRIPTOR_FLAG;

const WRONG: [what: string, spoil: (lab: FramesLab, burst: Burst) => void, reason: RegExp][] = [
  ["an index that is none", (_, burst) => burst.words[0] = 10, /^segment 0, mbuf 10: there are 10/],
  [
    "bytes beyond its room",
    (_, burst) => burst.words[1] = dataWord(200, 57),
    /: 57 bytes at 200 end beyond its 256$/,
  ],
  [
    "a flag that nobody sets",
    (_, burst) => burst.words[0] |= 4 << 24,
    /: it has unknown flags, 0x4$/,
  ],
  [
    "more who let go than held",
    (lab, burst) => lab.metadata.u32[lab.metadata.refcountWord(burst.words[0] & 0xff)] = 0xffffffff,
    /: it was freed more often than it had references$/,
  ],
  [
    "holders that it does not know of",
    (lab, burst) => lab.metadata.u32[lab.metadata.refcountWord(burst.words[0] & 0xff)] = 1,
    /: it has 2 references, but its descriptor is not marked as shared$/,
  ],
  ["itself behind it", (lab, burst) => lab.frames.chain(burst, 0, burst, 0), /a loop$/],
  [
    "a second segment that is none",
    (lab, burst) => lab.metadata.u32[lab.metadata.nextWord(burst.words[0] & 0xff)] = 77,
    /^segment 1, mbuf 77: there are 10 mbufs$/,
  ],
];

for (const [what, spoil, reason] of WRONG) {
  Deno.test(`Frames.check() tells of ${what}`, () => {
    using lab = new FramesLab(10);
    const burst = Burst.of(2);
    lab.make(burst, 0, [1]);
    lab.make(burst, 1, [2]);
    lab.frames.chain(burst, 0, burst, 1);
    equal(lab.frames.check(burst, 0), undefined);
    if (what === "itself behind it") {
      const next = lab.metadata.nextWord(burst.words[2] & 0xff);
      lab.metadata.u32.set(burst.words.subarray(0, 2), next);
      lab.metadata.u32[lab.metadata.nextWord(burst.words[0] & 0xff)] |= MORE;
    } else spoil(lab, burst);
    match(lab.frames.check(burst, 0) ?? "nothing", reason);
    lab.frames.length(burst, 0); // ends
    lab.frames.append(burst, 0, 1);
  });
}

Deno.test("no guest can feign a flag: the ledger strips what comes back", () => {
  const geometry = { offset: 0, stride: 256, count: 4 };
  const ledger = new Ledger(new SharedArrayBuffer(4), geometry, 1518, false);
  const burst = burstOf([2, dataWord(128, 60)]);
  ledger.lend(burst, 1, 0, true);
  burst.words[0] |= MORE | SHARED | 0x1f << DESCRIPTOR_FLAG.POOL_SHIFT;
  const taken = nothingTaken();
  equal(ledger.takeFrames(burst, 1, 0, Burst.of(1), taken), 1);
  equal(burst.words[0], 2);
  ledger.lend(burst, 1, 0, false);
  burst.words[0] |= SHARED;
  equal(ledger.takeEmpties(burst, 1, 0, taken), 1);
  equal(burst.words[0], 2);
});
