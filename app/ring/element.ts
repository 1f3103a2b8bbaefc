/** Write one element of 1, 2 or 4 words from word `at` of a ring's slots on. */
export function writeElement(
  slots: Uint32Array,
  at: number,
  words: number,
  word0: number,
  word1: number,
  word2: number,
  word3: number,
): void {
  slots[at] = word0;
  if (words === 1) return;
  slots[at + 1] = word1;
  if (words === 2) return;
  slots[at + 2] = word2;
  slots[at + 3] = word3;
}
