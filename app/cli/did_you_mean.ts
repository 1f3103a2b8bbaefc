/** Most letters that may differ in a word that is proposed. */
const DISTANCE_MAX = 2;

/**
 * The one of `words` that was probably meant by `word`: at most two letters of it, and fewer than
 * half, are wrong, missing, too many or exchanged; or `word` is the beginning of it alone.
 *
 * @returns the word; undefined if there is none.
 */
export function didYouMean(word: string, words: readonly string[]): string | undefined {
  const limit = Math.min(DISTANCE_MAX, Math.floor((word.length - 1) / 2));
  const near = words
    .map((candidate) => ({ candidate, distance: distanceBetween(word, candidate) }))
    .filter(({ distance }) => distance <= limit)
    .sort((a, b) => a.distance - b.distance);
  if (near.length > 0) return near[0].candidate;
  const longer = words.filter((candidate) => word.length > 1 && candidate.startsWith(word));
  return longer.length === 1 ? longer[0] : undefined;
}

/** Letters to insert, delete, replace or exchange with their neighbour (Damerau, Levenshtein). */
function distanceBetween(a: string, b: string): number {
  const rows = Array.from({ length: a.length + 1 }, (_, i) => [i]);
  for (let j = 0; j <= b.length; j++) rows[0][j] = j;
  for (let i = 1; i <= a.length; i++) {
    for (let j = 1; j <= b.length; j++) {
      const replaced = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      rows[i][j] = Math.min(rows[i - 1][j] + 1, rows[i][j - 1] + 1, replaced);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        rows[i][j] = Math.min(rows[i][j], rows[i - 2][j - 2] + 1);
      }
    }
  }
  return rows[a.length][b.length];
}
