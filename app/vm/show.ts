/**
 * Launches as text: for a shell, and for programs.
 *
 * @module
 */

import type { Launch } from "./launch.ts";

/**
 * Command lines for a shell, one for each VM, with advice as comments before each.
 */
export function shellText(launches: readonly Launch[]): string {
  return launches.map(({ guest, program, args, advice, regions }) => {
    const names = regions.map(({ region }) => region).join(", ") || "no region";
    const comments = [`guest ${guest}: ${names}`, ...advice].map((line) => `# ${line}\n`).join("");
    return comments + shellQuote([program, ...args]) + "\n";
  }).join("\n");
}

/** A JSON array with an object for each VM. */
export function jsonText(launches: readonly Launch[]): string {
  const objects = launches.map(({ guest, program, args, advice, regions, options }) => ({
    guest,
    program,
    args,
    advice,
    regions,
    qmp: options.qmp,
  }));
  return JSON.stringify(objects, null, 2) + "\n";
}

/**
 * Joins a command and its arguments into one line that a POSIX shell reads back as the same words.
 */
export function shellQuote(words: readonly string[]): string {
  const quote = (word: string) =>
    /^[A-Za-z0-9_@%+=:,.\/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  return words.map(quote).join(" ");
}
