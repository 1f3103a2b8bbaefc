/** Tells beforehand how long something takes, on two idle cores: `takes about 3 min`. */
export function takesAbout(seconds: number): string {
  if (seconds >= 90) return `takes about ${Math.round(seconds / 60)} min`;
  return `takes about ${Math.max(1, Math.round(seconds / 5)) * 5} s`;
}
