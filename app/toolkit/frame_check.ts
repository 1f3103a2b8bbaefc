import { DESCRIPTOR, DESCRIPTOR_FLAG } from "../memory/layout.ts";
import { othersOf, REFCOUNT_MAX } from "./refcount.ts";
import type { Mbufs } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import type { MbufMetadata } from "./mbuf_metadata.ts";

const { INDEX_MASK, FLAGS_SHIFT } = DESCRIPTOR;
const { MORE, SHARED, POOL_SHIFT } = DESCRIPTOR_FLAG;

/** The flags that a descriptor may have. */
const KNOWN_FLAGS = MORE | SHARED | 0x1f << POOL_SHIFT;

/** As `Frames.check()`. */
export function checkFrame(
  mbufs: Mbufs,
  metadata: MbufMetadata,
  burst: Burst,
  i: number,
): string | undefined {
  const { count, room } = mbufs;
  let words: Uint32Array = burst.words;
  for (let n = 0, at = i << 1; n < count; n++) {
    const [word0, word1] = [words[at], words[at + 1]];
    const [index, offset, length] = [word0 & INDEX_MASK, word1 & 0xffff, word1 >>> 16];
    const where = `segment ${n}, mbuf ${index}`;
    if (index >= count) return `${where}: there are ${count} mbufs`;
    if (offset + length > room) {
      return `${where}: ${length} bytes at ${offset} end beyond its ${room}`;
    }
    const unknown = (word0 & ~(INDEX_MASK | KNOWN_FLAGS)) >>> FLAGS_SHIFT;
    if (unknown !== 0) return `${where}: it has unknown flags, 0x${unknown.toString(16)}`;
    const others = othersOf(metadata, index);
    if (others > REFCOUNT_MAX) return `${where}: it was freed more often than it had references`;
    if ((word0 & SHARED) === 0 && others > 0) {
      return `${where}: it has ${
        1 + others
      } references, but its descriptor is not marked as shared`;
    }
    if ((word0 & MORE) === 0) return undefined;
    words = metadata.u32;
    at = metadata.nextWord(index);
  }
  return `mbuf ${burst.words[i << 1] & INDEX_MASK}: its segments form a loop`;
}
