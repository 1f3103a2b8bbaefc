import { CulvertError } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { LINE, LINE_BYTES } from "../memory/layout.ts";
import type { RawMemzone } from "./raw_memzone.ts";

/**
 * Words of the memzone in which atomics are checked: the word that all change, then a line for each
 * party.
 *
 * ```text
 *  byte 0            COUNTER (all, by CAS)
 *  byte 128(1 + n)   STATE, ADDED (party n)
 * ```
 */
const WORD = { COUNTER: 0, PARTIES: LINE, STATE: 0, ADDED: 1 } as const;

/** What a party has done; each goes through them in this order. */
const STATE = { ABSENT: 0, HERE: 1, ADDED_ENOUGH: 2, FINISHED: 3 } as const;

/** Additions between two looks at the others. */
const ROUND = 64;

/** Bytes of a RAW memzone in which `parties` can check atomics. */
export function atomicsCheckBytes(parties: number): number {
  return LINE_BYTES * (1 + parties);
}

/** Options of {@linkcode checkAtomics}. */
export interface AtomicsCheckOptions {
  /**
   * The least number of additions of each party; all parties go on until the last one has made as
   * many. Default 10,000.
   */
  readonly additions?: number;
  /** Milliseconds to wait for the others; default 10,000. */
  readonly patience?: number;
}

/**
 * Check that compare-and-swap is atomic between programs that share a region, before they rely on
 * it for a ring or a mempool: all parties add to one word at the same time, and no addition may be
 * lost. Additions are lost if QEMU emulates a VM that can never have a second processor (`-smp 1`,
 * TCG): it then turns atomic instructions into ordinary ones, and nothing inside that VM can tell.
 *
 * So all parties have to call this at the same time, each with a number of its own, and each call
 * blocks until the last party is done: for a millisecond between processes, for some ten with a VM
 * under TCG. That is also why attaching does not check atomics: the other side may be busy, or not
 * there. A memzone serves for one check: it must hold only zeros before.
 *
 * @param zone Of {@linkcode atomicsCheckBytes} bytes at least.
 * @param party This party's number, from 0.
 * @returns how many additions were made in all; each was counted.
 * @throws {CulvertError} if additions were lost, or the others did not come.
 */
export function checkAtomics(
  zone: RawMemzone,
  party: number,
  parties: number,
  { additions = 10_000, patience = 10_000 }: AtomicsCheckOptions = {},
): number {
  const refuse = (found: string, wanted: string) =>
    new CulvertError(`Cannot check atomics in memzone ${zone.name} as ${found}: ${wanted}`);
  const wanted = atomicsCheckBytes(parties);
  if (zone.u8.length < wanted) {
    throw refuse(`it has ${zone.u8.length} bytes`, `${parties} parties want ${wanted}`);
  }
  const wordOf = (n: number, field: number) => WORD.PARTIES + n * LINE + field;
  const numbers = Array.from({ length: parties }, (_, n) => n);
  const have = (state: number) =>
    numbers.filter((n) => zone.load(wordOf(n, WORD.STATE)) >= state).length;
  if (!numbers.includes(party) || zone.load(wordOf(party, WORD.STATE)) !== STATE.ABSENT) {
    throw refuse(
      `party ${party} of ${parties} has begun before, or is none`,
      "use a fresh memzone",
    );
  }
  const enter = (state: number) => zone.store(wordOf(party, WORD.STATE), state);
  const end = shim.shim_clock() + patience * 1e6;
  const goOn = (state: number) => {
    if (shim.shim_clock() < end) return;
    const how = `${have(state)} of ${parties} parties are there after ${patience / 1000} s`;
    throw refuse(how, "let all call this at the same time, each with a number of its own");
  };
  const waitFor = (state: number) => {
    for (; have(state) < parties; shim.shim_yield()) goOn(state);
  };

  enter(STATE.HERE);
  waitFor(STATE.HERE);
  let added = 0;
  for (; have(STATE.ADDED_ENOUGH) < parties; added += ROUND) {
    for (let i = 0; i < ROUND; i++) addOne(zone);
    if (added + ROUND >= additions) enter(STATE.ADDED_ENOUGH);
    goOn(STATE.ADDED_ENOUGH);
  }
  zone.store(wordOf(party, WORD.ADDED), added);
  enter(STATE.FINISHED); // releases ADDED; pairs with the load in have()
  waitFor(STATE.FINISHED);

  const made = numbers.reduce((sum, n) => sum + zone.load(wordOf(n, WORD.ADDED)), 0);
  const counted = zone.load(WORD.COUNTER);
  if (counted === made) return made;
  throw new CulvertError(
    `Cannot share rings or mempools by compare-and-swap as ${
      made - counted
    } of ${made} additions ` +
      `to one word were lost: if a VM is emulated, start its QEMU with -smp 1,maxcpus=2`,
  );
}

function addOne(zone: RawMemzone): void {
  let before;
  do before = zone.load(WORD.COUNTER); while (
    !zone.compareAndSwap(WORD.COUNTER, before, before + 1)
  );
}
