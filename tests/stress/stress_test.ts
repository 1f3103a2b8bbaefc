import { deepEqual, ok } from "node:assert/strict";
import { SIZES, teamsFor } from "./teams.ts";
import { FLAWED_MODES, type Mode, MODES } from "./modes.ts";
import { runMode } from "./run_mode.ts";
import { type Team, teamText } from "./shared_rings.ts";

/** In seconds. `deno task stress` takes longer. */
const SHORT = 0.15, BUSY = 3;

/** One size for each team: all of them would take long. */
for (const mode of MODES) {
  for (const [i, team] of teamsFor(mode).entries()) {
    const [size, burstMax] = SIZES[mode.isMulti ? 0 : i];
    Deno.test(`${mode.name} of ${size}, ${teamText(team)}: each object is whole and there once`, async () => {
      let moved = 0;
      for (const seconds of [SHORT, BUSY]) { // a busy machine needs longer
        const run = await runMode({ mode, team, size, burstMax, seconds });
        deepEqual(run.complaints, []);
        moved += run.moved;
        if (moved > 100) return;
      }
      throw new Error(`only ${moved} were moved: too few to show anything`);
    });
  }
  const [team] = teamsFor(mode);
  for (const [size, burstMax] of SIZES.slice(1)) {
    if (!mode.isFifo) continue;
    Deno.test(`${mode.name} of ${size}, ${teamText(team)}, bursts of up to ${burstMax}`, async () => {
      const run = await runMode({ mode, team, size, burstMax, seconds: SHORT });
      deepEqual(run.complaints, []);
    });
  }
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
