/** Shares of 0 to 1 as percentages: `12 %, 100 %`. */
export function shares(values: readonly number[]): string {
  return values.map((value) => `${Math.round(value * 100)} %`).join(", ");
}

/** A column of {@linkcode alignColumns}: text stands left, numbers right. */
export type Alignment = "left" | "right";

/** Lines whose cells stand below each other, two spaces apart, without trailing spaces. */
export function alignColumns(
  rows: readonly (readonly string[])[],
  alignments: readonly Alignment[],
): string[] {
  const widths = alignments.map((_, i) => Math.max(0, ...rows.map((row) => (row[i] ?? "").length)));
  const place = (cell: string, i: number) =>
    alignments[i] === "right" ? cell.padStart(widths[i]) : cell.padEnd(widths[i]);
  return rows.map((row) => alignments.map((_, i) => place(row[i] ?? "", i)).join("  ").trimEnd());
}

/** `[#####.....]`: how much of `total` is in use; one mark at least if anything is. */
export function bar(used: number, total: number, width = 24): string {
  const share = total > 0 ? Math.min(1, Math.max(0, used / total)) : 0;
  const marks = used > 0 ? Math.max(1, Math.floor(share * width)) : 0;
  return `[${"#".repeat(marks)}${".".repeat(width - marks)}]`;
}

/** Bytes for people: `384 B`, `16 KiB`, `23.1 MiB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB"];
  const unit = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** unit;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${units[unit]}`;
}
