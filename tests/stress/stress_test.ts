import { deepEqual, ok } from "node:assert/strict";
import { SIZES, teamsFor } from "./teams.ts";
import { FLAWED_MODES, type Mode, MODES } from "./modes.ts";
import { runMode } from "./run_mode.ts";
import { type Team, teamText } from "./shared_rings.ts";

// The short form of `deno task stress`: each mode with one team, another one each time.

/** Seconds, first and if too little was moved: a busy machine needs longer. */
const SHORT = 0.15, BUSY = 3;

/** One item, by chance. */
function anyOf<T>(items: readonly T[]): T {
  return items[crypto.getRandomValues(new Uint32Array(1))[0] % items.length];
}

for (const mode of MODES) {
  const team = anyOf(teamsFor(mode));
  const [size, burstMax] = anyOf(SIZES.filter(([size]) => mode.isFifo || size > 2));
  Deno.test(`${mode.name} of ${size}, ${teamText(team)}: each object is whole and there once`, async () => {
    let moved = 0;
    for (const seconds of [SHORT, BUSY]) {
      const run = await runMode({ mode, team, size, burstMax, seconds });
      deepEqual(run.complaints, []);
      moved += run.moved;
      if (moved > 100) return;
    }
    throw new Error(`only ${moved} were moved: too few to show anything`);
  });
}

/** Those that are most likely to meet half-way. */
const MEETING: readonly Team[] = [{ agents: [3, 0], processes: 0 }, {
  agents: [2, 2],
  processes: 0,
}];
const ATTEMPTS = 20;

async function complaintsOf(mode: Mode): Promise<readonly string[]> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const team = MEETING[attempt % MEETING.length];
    const { complaints } = await runMode({ mode, team, size: 64, burstMax: 20, seconds: 0.5 });
    if (complaints.length > 0) return complaints;
  }
  return [];
}

const [flawless, ...flawed] = FLAWED_MODES;

Deno.test(`the stress test has nothing to say against ${flawless.name}`, async () => {
  const team = { agents: [2, 2], processes: 0 } as const;
  const run = await runMode({ mode: flawless, team, size: 64, burstMax: 20, seconds: SHORT });
  deepEqual(run.complaints, []);
});

for (const mode of flawed) {
  Deno.test(`the stress test complains of ${mode.name}`, async () => {
    ok((await complaintsOf(mode)).length > 0, `it does not, in ${ATTEMPTS} attempts`);
  });
}
