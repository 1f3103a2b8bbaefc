import type { Finding, State } from "./check.ts";

/** A word for each state, and its colour: green, yellow, red. */
const WORDS: Readonly<Record<State, { word: string; colour: number }>> = {
  good: { word: "ok", colour: 32 },
  note: { word: "note", colour: 33 },
  bad: { word: "BAD", colour: 31 },
};

/** The findings as text, a line each. */
export function doctorText(findings: readonly Finding[], isColoured: boolean): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  return findings.map(({ check, state, found, fix }) => {
    const { word, colour } = WORDS[state];
    const padded = word.padEnd(4);
    const shown = isColoured ? `\x1b[${colour}m${padded}\x1b[0m` : padded;
    return `${shown}  ${check.padEnd(width)}  ${found}${fix === undefined ? "" : ` -> ${fix}`}`;
  }).join("\n");
}
