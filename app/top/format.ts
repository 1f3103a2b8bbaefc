/** A number in as few characters as three digits and a unit take: `0`, `12.3k`, `1.23M`. */
export function short(value: number): string {
  if (value < 999.5) return value < 10 && value > 0 ? value.toFixed(1) : value.toFixed(0);
  const unit = Math.min(4, Math.floor(Math.log10(value * 1.0005) / 3));
  return `${(value / 1000 ** unit).toPrecision(3)}${" kMGT"[unit]}`;
}

/** A share of 0 to 1 in percent, never more than three characters wide; `-` if there is none. */
export function percent(share: number | undefined): string {
  return share === undefined ? "-" : `${Math.round(share * 100)}`;
}

const MARKS = "▁▂▃▄▅▆▇█";

/** The last of some values as a line of `width` marks, the highest of them the tallest. */
export function sparkline(values: readonly number[], width: number): string {
  const last = values.slice(-width);
  const most = Math.max(...last, 0);
  return last.map((value) => {
    if (value <= 0) return " ";
    return MARKS[Math.min(MARKS.length - 1, Math.floor(value / most * MARKS.length))];
  }).join("").padStart(width);
}
