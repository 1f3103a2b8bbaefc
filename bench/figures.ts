/**
 * `deno task figures`: makes the plot, and the tables of the pages, from bench/results.jsonl.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { machineLines } from "./machine.ts";
import { plotSvg } from "./plot.ts";
import { markdownTable } from "./result_table.ts";
import { readResults, type Results } from "./results.ts";

/** The pages with tables. */
const PAGES = ["README.md", "RINGS.md"];

const FOLDER = fileURLToPath(new URL(".", import.meta.url));

/** What is made from the results, by file name in this folder. */
export async function madeFiles(): Promise<Record<string, string>> {
  const results = readResults(await Deno.readTextFile(`${FOLDER}results.jsonl`));
  const made: Record<string, string> = { "results.svg": plotSvg(results) };
  for (const page of PAGES) {
    made[page] = withFigures(await Deno.readTextFile(FOLDER + page), results);
  }
  return made;
}

/** A text with the figures between its marks: `<!-- figures: AREA -->` and `<!-- end -->`. */
export function withFigures(text: string, { machine, measurements }: Results): string {
  const marked = /(<!-- figures: (\w+) -->\n)[^]*?(<!-- end -->)/g;
  return text.replace(marked, (_, begin, what, end) => {
    const rows = measurements.filter(({ area }) => area === what);
    const figures = what === "machine"
      ? machineLines(machine).map((line) => `- ${line}`).join("\n")
      : rows.length > 0
      ? markdownTable(rows)
      : "No results yet.";
    return `${begin}\n${figures}\n\n${end}`;
  });
}

if (import.meta.main) {
  for (const [name, text] of Object.entries(await madeFiles())) {
    await Deno.writeTextFile(`${FOLDER}${name}`, text);
  }
}
