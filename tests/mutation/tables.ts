import { BURSTS } from "./bursts.ts";
import { FRAMES } from "./frames.ts";
import { LEDGER } from "./ledger.ts";
import { MEMPOOLS } from "./mempools.ts";
import type { Table } from "./mutants.ts";
import { RINGS } from "./rings.ts";
import { LIVES } from "./lives.ts";
import { SUPER_FRAMES } from "./super_frames.ts";

/** All mutations. The orderings, which no run on x86 shows, are in tests/model and tests/litmus. */
export const TABLES: readonly Table[] = [
  RINGS,
  BURSTS,
  MEMPOOLS,
  FRAMES,
  LEDGER,
  LIVES,
  SUPER_FRAMES,
];
