import type { Labels } from "./families.ts";
import type { Measured } from "./snapshot.ts";

/** The media type of {@linkcode expositionText}: Prometheus' text format 0.0.4. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** What stands in front of all names. */
export const PREFIX = "culvert_";

/**
 * Metrics in Prometheus' text format.
 *
 * @param version Of this program.
 */
export function expositionText(measured: readonly Measured[], version: string): string {
  const lines = [
    `# HELP ${PREFIX}build_info The version of culvert that reads the regions.`,
    `# TYPE ${PREFIX}build_info gauge`,
    `${PREFIX}build_info${labelsText({ version })} 1`,
  ];
  for (const { family: { name, kind, help }, samples } of measured) {
    if (samples.length === 0) continue;
    const full = PREFIX + name + (kind === "counter" ? "_total" : "");
    lines.push(`# HELP ${full} ${help}`, `# TYPE ${full} ${kind}`);
    for (const { labels, value } of samples) lines.push(`${full}${labelsText(labels)} ${value}`);
  }
  return lines.join("\n") + "\n";
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(",")}}`;
}

/** A label's value may have any character in it: users choose the names of ports. */
function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
