/** By how many frames one may be late and still be told from a duplicate; a power of two. */
const WINDOW = 1 << 20;
const MASK = WINDOW - 1;

/** Counts numbered frames as they come: new ones, those out of order, and those that come again. */
export class Sequence {
  /** Numbers that came, each once. */
  received = 0;
  /** Numbers among these that came after a higher one (RFC 4737, 3.3). */
  reordered = 0;
  /** Frames whose number had come before, or came too late to tell. */
  duplicated = 0;
  readonly #seen = new Uint8Array(WINDOW);
  #next = 0;

  /** Count a frame of this number. */
  add(number: number): void {
    const seen = this.#seen;
    if (number >= this.#next) {
      if (number - this.#next >= WINDOW) seen.fill(0);
      else for (let i = this.#next; i < number; i++) seen[i & MASK] = 0;
      this.#next = number + 1;
    } else if (this.#next - number > WINDOW || seen[number & MASK] === 1) {
      this.duplicated++;
      return;
    } else this.reordered++;
    seen[number & MASK] = 1;
    this.received++;
  }
}
