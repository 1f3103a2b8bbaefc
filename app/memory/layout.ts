/**
 * The memory format: every offset in the region, written once. All else derives from this file.
 *
 * Everything is little-endian 32-bit words at offsets from the region's start; there are no
 * addresses. Offsets below are in **words** where the name ends in nothing, in **bytes** where it
 * ends in `_BYTES`. Behind each field stands who writes it: (h) host, (g) guest, (b) both, by CAS.
 *
 * ```text
 *  byte 0        header page      (h) magic, version, size, state, epoch
 *  byte 4096     directory        (h) memzones: name, kind, offset, size
 *  byte 16384    memzones         "g0" guest control, "g0.p0" channel, "g0.p0.rx", ..., "mbufs"
 * ```
 *
 * Ownership: the host writes header and channel descriptions before `version` is published and not
 * again. Memzones may be added later: an entry is whole, and what it names is filled, before
 * ZONE_COUNT is published; none ever changes or goes away. A ring's producer line belongs to its
 * producer, its consumer line to its consumer; an mbuf belongs to the side that the ledger says.
 * Words that different sides write never share 128 bytes (two cache lines, since the adjacent-line
 * prefetcher pairs them).
 *
 * @module
 */

/** Version of the format. A guest attaches only to its own. */
export const LAYOUT_VERSION = 6;

/** Bytes that words of different writers keep apart. */
export const LINE_BYTES = 128;

/** {@linkcode LINE_BYTES} in words. */
export const LINE = LINE_BYTES / 4;

/**
 * The header, in words from the region's start. All (h).
 *
 * ```text
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * +-------------------------------+-------------------------------+
 * | MAGIC 0  "CULV"               | MAGIC 1  "ERT\0"              |
 * +-------------------------------+-------------------------------+
 * | VERSION (published last)      | LAYOUT_HASH                   |
 * +-------------------------------+-------------------------------+
 * | PAGES of 4096 bytes           | STATE                         |
 * +-------------------------------+-------------------------------+
 * | EPOCH                         | ZONE_COUNT                    |
 * +-------------------------------+-------------------------------+
 * | HEARTBEAT                     | HOST_PEER: peer id + 1, 0: no |
 * +-------------------------------+-------------------------------+
 * | MBUFS_FREE                    | LONG_MBUFS: how many          |
 * +-------------------------------+-------------------------------+
 * ```
 */
export const HEADER = {
  MAGIC_0: 0,
  MAGIC_1: 1,
  VERSION: 2,
  LAYOUT_HASH: 3,
  PAGES: 4,
  STATE: 5,
  EPOCH: 6,
  ZONE_COUNT: 7,
  HEARTBEAT: 8,
  HOST_PEER: 9,
  MBUFS_FREE: 10,
  LONG_MBUFS: 11,
} as const;

/** "CULV" and "ERT\0" as little-endian words. */
export const MAGIC: readonly [number, number] = [0x564c5543, 0x00545245];

/**
 * What {@linkcode HEADER}`.STATE` says: EMPTY -> BUILDING -> READY -> CLOSED, or BUILDING again.
 */
export const REGION_STATE = { EMPTY: 0, BUILDING: 1, READY: 2, CLOSED: 3 } as const;

/** Where the directory starts and where memzones may. */
export const DIRECTORY_BYTES = 4096;
/** See {@linkcode DIRECTORY_BYTES}. */
export const ZONES_BYTES = 16384;

/**
 * A directory entry, in words: NAME (8 words, UTF-8, NUL-padded), KIND, OFFSET (bytes, u32),
 * SIZE (bytes, u32), PARAMETER (by kind). All (h).
 */
export const ENTRY = { NAME: 0, KIND: 8, OFFSET: 9, SIZE: 10, PARAMETER: 11, WORDS: 12 } as const;

/** Longest memzone name in bytes. */
export const ZONE_NAME_BYTES = 31;

/** Most memzones in a region. */
export const ZONES_MAX: number = Math.floor((ZONES_BYTES - DIRECTORY_BYTES) / (ENTRY.WORDS * 4));

/**
 * What a memzone is. Its PARAMETER: RING, MPMC: slots; MBUFS, MEMPOOL: stride in bytes; GUEST:
 * channels; PUSH: bytes of text. MBUFS has the long mbufs at its end, `LONG_MBUFS` of them.
 */
export const ZONE_KIND = {
  RING: 1,
  MBUFS: 2,
  GUEST: 3,
  CHANNEL: 4,
  RAW: 5,
  MPMC: 6,
  MEMPOOL: 7,
  PUSH: 8,
} as const;

/**
 * A ring of `size` (a power of two) slots, in words from its memzone's start. PRODUCER and CONSUMER
 * are free-running positions.
 *
 * ```text
 *  byte 0        PRODUCER  (written by the producer)   line of its own
 *  byte 128      CONSUMER  (written by the consumer)   line of its own
 *  byte 256      size slots
 * ```
 */
export const RING = { PRODUCER: 0, CONSUMER: LINE, SLOTS: 2 * LINE } as const;

/**
 * A ring with several producers or consumers, in words: each end has a head (claimed) and a tail
 * (finished), both on that end's line. {@linkcode MPMC_END} says what else may be there. The shape,
 * behind the producers' words, is written once, when a ring gets a name in a region.
 *
 * ```text
 *  byte 0        producers: HEAD, TAIL                                          (b)
 *  byte 32       SHAPE: ELEMENT_BYTES, CAPACITY, PRODUCERS, CONSUMERS           (h)
 *  byte 128      consumers: HEAD, TAIL                                          (b)
 *  byte 256      size slots
 * ```
 */
export const MPMC = {
  PRODUCER_HEAD: 0,
  PRODUCER_TAIL: 1,
  ELEMENT_BYTES: 8,
  CAPACITY: 9,
  PRODUCERS: 10,
  CONSUMERS: 11,
  CONSUMER_HEAD: LINE,
  CONSUMER_TAIL: LINE + 1,
  SLOTS: 2 * LINE,
} as const;

/**
 * An end of such a ring, in words from its line's start, as DPDK has it. HEAD and TAIL are one
 * 64-bit word in head-tail-sync mode. In relaxed-tail-sync mode, TAIL_COUNT (in HEAD's place) and
 * TAIL are one 64-bit word, and RTS_HEAD and HEAD_COUNT another: positions, and how many enqueues
 * (or dequeues) were finished or begun.
 */
export const MPMC_END = { HEAD: 0, TAIL_COUNT: 0, TAIL: 1, RTS_HEAD: 2, HEAD_COUNT: 3 } as const;

/**
 * How the users of an end agree: what PRODUCERS and CONSUMERS of {@linkcode MPMC} say. 0: nothing
 * is said.
 */
export const MPMC_SYNC = { single: 1, multi: 2, hts: 3, rts: 4 } as const;

/**
 * A mempool that host and guests share, in words from its memzone's start. The mbufs follow the
 * free ring, an MPMC ring of as many slots as the next power of two, at the next multiple of 128
 * bytes; COUNT of them, STRIDE (the memzone's PARAMETER) bytes apart, and behind them the metadata
 * of each. An mbuf belongs to the program that has taken its index out of the free ring. There is
 * no ledger: every program that may write here is trusted.
 *
 * In a mempool for debugging GUARD bytes lie in front of the first mbuf and at the end of each,
 * and behind the metadata is a watch: see `WATCH`.
 *
 * ```text
 *  byte 0        COUNT      (h) mbufs, before the memzone is in the directory
 *                GUARD      (h) bytes of each mbuf that no frame may use: 0, or 64
 *                NUMBER     (h) of the mempool among those for debugging in its region, 1 to 15
 *  byte 128      FREE_RING  (b) an MPMC ring of mbuf indexes: see above
 *  byte 128n     mbufs      (b) each by its owner
 *  byte 128m     metadata   (b) each by its mbuf's owner: see `METADATA`
 *  byte 128k     watch      (b) see `WATCH`
 * ```
 */
export const MEMPOOL = { COUNT: 0, GUARD: 1, NUMBER: 2, FREE_RING: LINE } as const;

/**
 * The metadata of an mbuf, in words. They are never in memory where frames of guests that are not
 * trusted lie.
 *
 * ```text
 *  word 0        REFCOUNT less one, by fetch-and-add; valid in descriptors with `SHARED`
 *  word 1..2     NEXT     descriptor of the frame's next segment, meaningful behind one with `MORE`
 * ```
 */
export const METADATA = { REFCOUNT: 0, NEXT: 1, WORDS: 4 } as const;

/**
 * A mempool's watch, for debugging, in words from its start: who uses it, then four words an mbuf.
 *
 * ```text
 *  word 0        USERS    names given, by fetch-and-add
 *  byte 128      64 names of 16 bytes, NUL-padded, each by its user
 *  byte 1152     per mbuf: STATE (by CAS), USER who changed it last, TIMES it was allocated,
 *                WHEN it changed, in milliseconds of CLOCK_MONOTONIC
 * ```
 */
export const WATCH = {
  USERS: 0,
  NAMES: LINE,
  NAMES_MAX: 64,
  NAME_WORDS: 4,
  MBUFS: LINE + 256,
  STATE: 0,
  USER: 1,
  TIMES: 2,
  WHEN: 3,
  WORDS: 4,
} as const;

/**
 * A descriptor: what a ring carries across, 8 bytes.
 *
 * ```text
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1   (bit 0 = least)
 * +-----------------------------------------------+---------------+
 * | mbuf index (24)                               | flags (8)     |
 * +-------------------------------+---------------+---------------+
 * | data offset in the mbuf (16)  | frame length in bytes (16)    |
 * +-------------------------------+-------------------------------+
 * ```
 */
export const DESCRIPTOR = { WORDS: 2, INDEX_MASK: 0xffffff, FLAGS_SHIFT: 24 } as const;

/**
 * A descriptor's flags, in word 0. All but SUPER are for one trust domain: what is lent to a guest
 * that is not trusted has none of them, and what comes back from it is stripped of them.
 *
 * SUPER: the frame is a super-frame, and `SUPER_HEADER` tells how to cut it.
 *
 * MORE: the frame goes on in the mbuf that `METADATA.NEXT` of this one names. SHARED: there may be
 * other references to the mbuf, `METADATA.REFCOUNT` says how many. POOL: in a mempool for debugging
 * its number, 1 to 31.
 */
export const DESCRIPTOR_FLAG = {
  MORE: 1 << 24,
  SHARED: 1 << 25,
  SUPER: 1 << 26,
  POOL_SHIFT: 27,
} as const;

/** Longest super-frame in bytes: a descriptor has 16 bits for that. */
export const SUPER_FRAME_MAX = 0xffff;

/**
 * Where an mbuf has the offload header of a super-frame (`struct virtio_net_hdr`, virtio 1.2,
 * 5.1.6), in bytes from its start; the frame begins behind it, from byte `END` on. Written by the
 * mbuf's owner, and checked whenever it leaves a region.
 *
 * ```text
 *  byte 16       flags (8), GSO type (8), length of all headers (16)
 *  byte 20       GSO size: payload of a segment (16), where the partial checksum starts (16)
 *  byte 24       where the checksum is, from there (16)
 * ```
 *
 * Bytes of a frame are counted from its first one: code that puts a header before it counts on.
 */
export const SUPER_HEADER = { START: 16, END: 28 } as const;

/**
 * A guest's control memzone, in words: one line that both sides change by CAS, one of the guest's,
 * one of the host's; behind them what the guest's functions count, for each channel that the guest
 * has, as there may be as many lcores.
 *
 * ```text
 *  byte 0        STATE (b): see STATE_WORD
 *  byte 128      HEARTBEAT (g)
 *                PID (g): for the log only; may be that of the guest before
 *                OFFLOADS (g): 1 if its functions take super-frames
 *                TAKES_PUSHES (g): 1 if it takes functions out of the memzone `PUSH`
 *                BUSY (g): for each of its first 28 lcores, 1 more than the thousandths of the last
 *                          second in which it had work; 0: not told
 *  byte 256      INCARNATION (h): raised whenever the host lets a guest in, or retires it
 *                LEAVE (h): 1 asks the guest to detach and let go of the region's device
 *                NOTIFIED (h): 1 if the host wakes the guest
 *                OUTSTANDING (h): mbufs that the guest holds, some times a second
 *  byte 384      COUNTERS (g)  per channel 16 slots of 64 bytes: see `FUNCTION_COUNTER`
 * ```
 */
export const GUEST = {
  STATE: 0,
  HEARTBEAT: LINE,
  PID: LINE + 1,
  OFFLOADS: LINE + 2,
  TAKES_PUSHES: LINE + 3,
  BUSY: LINE + 4,
  INCARNATION: 2 * LINE,
  LEAVE: 2 * LINE + 1,
  NOTIFIED: 2 * LINE + 2,
  OUTSTANDING: 2 * LINE + 3,
  COUNTERS: 3 * LINE,
} as const;

/**
 * What a function counts, in bytes: a slot of an lcore's block. The guest's main thread writes it,
 * some times a second.
 *
 * ```text
 *  byte 0        VALUE  float64, exact up to 2^53
 *  byte 8        NAME   up to 55 bytes of UTF-8, NUL-padded; empty: nothing is counted here
 * ```
 */
export const FUNCTION_COUNTER = {
  VALUE_BYTE: 0,
  NAME_BYTE: 8,
  SLOT_BYTES: 64,
  SLOTS: 16,
  BLOCK_BYTES: 16 * 64,
} as const;

/** Lcores of a guest that tell how busy they are: what its line has room for. */
export const BUSY_LCORES: number = LINE - 4;

/** Bytes of the control memzone of a guest that has so many channels. */
export function guestBytes(channels: number): number {
  return GUEST.COUNTERS * 4 + channels * FUNCTION_COUNTER.BLOCK_BYTES;
}

/**
 * Where `culvert push` leaves a function for a guest of the region, in words from the memzone's
 * start; there is one such memzone. (p) is written by `culvert push`. The host reads none of it.
 *
 * ```text
 *  byte 0        SEQUENCE (p): another number for each push, published last; 0: taken back
 *                GUEST (p): for which guest it is
 *                LENGTH (p): bytes of the text
 *                HASH (p): of the text, SHA-256
 *  byte 128      ANSWERED (g): the SEQUENCE that was seen, published after STATE
 *                STATE (g): see `PUSH_STATE`; published last when there is an answer
 *                ANSWER_LENGTH (g): bytes of the answer
 *  byte 256      ANSWER (g): up to 1024 bytes of UTF-8
 *  byte 1280     TEXT (p): JSON in UTF-8: see `PushedFunction`
 * ```
 */
export const PUSH = {
  SEQUENCE: 0,
  GUEST: 1,
  LENGTH: 2,
  HASH: 3,
  HASH_WORDS: 8,
  ANSWERED: LINE,
  STATE: LINE + 1,
  ANSWER_LENGTH: LINE + 2,
  ANSWER: 2 * LINE,
  ANSWER_BYTES: 1024,
  TEXT: 2 * LINE + 256,
} as const;

/** What becomes of a push: the guest has seen it; its function has taken over; or has not. */
export const PUSH_STATE = { SEEN: 1, DONE: 2, REFUSED: 3 } as const;

/**
 * A guest's STATE: all that a claim says is in it, so that a claim is one CAS, and so that each
 * later one names the guest that it is about.
 *
 * ```text
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1   (bit 0 = least)
 * +-----+-+-+-+---------------------------------+-----------------+
 * |STATE|W|R|A| PEER: peer id + 1, 0: none (17) | INCARNATION (9) |
 * +-----+-+-+-+---------------------------------+-----------------+
 * ```
 *
 * STATE: one of `GUEST_STATE`. W: it wants to be lent empty mbufs. R: it rings the host. A: changes
 * when it is another peer, as its server was gone. INCARNATION: the place's, and 317 more for each
 * epoch, modulo 512: hosts that follow each other begin far apart.
 */
export const STATE_WORD = {
  STATE: 7,
  WANTS_MBUFS: 1 << 3,
  NOTIFIES: 1 << 4,
  AGAIN: 1 << 5,
  PEER: 0x1ffff << 6,
  PEER_SHIFT: 6,
  INCARNATION: 0x1ff << 23,
  INCARNATION_SHIFT: 23,
} as const;

/**
 * A channel's description, its two sleeping flags (see `SleepFlag`), and what was counted of its
 * port, in words.
 *
 * ```text
 *  word 0..3     PORT_NAME (h) 16 bytes, NUL-padded
 *  word 4..5     MAC (h)       6 bytes
 *  word 6        FRAME_MAX (h) longest frame in bytes, FCS not included
 *  word 7        HEADROOM (h)  bytes in front of a frame that the host lends
 *  word 8        QUEUES (h)    queues of the port, each of which has a channel
 *  byte 128      HOST_SLEEP: SLEEP, VECTOR (h)    of the host's lcore
 *  byte 256      GUEST_SLEEP: SLEEP, VECTOR (g)   of the guest's lcore that receives
 *                ROUNDS (g)  goes up some times a second while that lcore comes round its loop
 *  byte 384      COUNTERS (h)  48 float64, see `COUNTER`
 * ```
 */
export const CHANNEL = {
  PORT_NAME: 0,
  MAC: 4,
  FRAME_MAX: 6,
  HEADROOM: 7,
  QUEUES: 8,
  HOST_SLEEP: LINE,
  GUEST_SLEEP: 2 * LINE,
  COUNTERS: 3 * LINE,
  BYTES: 6 * LINE_BYTES,
} as const;

/**
 * A sleeping flag, in words from its line's start. SLEEP counts up: odd while the lcore sleeps.
 * VECTOR is the interrupt that wakes it, plus 1; 0 if none does. ROUNDS, the guest's alone, goes up
 * some times a second while the lcore comes round its loop.
 */
export const SLEEP = { COUNT: 0, VECTOR: 1, ROUNDS: 2 } as const;

/** Headroom of an mbuf in bytes: room in front of a frame for headers that are put before it. */
export const HEADROOM_BYTES = 128;

/**
 * Default distance of mbufs in bytes: 37 cache lines. A multiple of 64, but of no larger power of
 * two, or the first lines of all mbufs meet in the same few cache sets.
 */
export const MBUF_STRIDE_BYTES = 2368;

/**
 * Cells of a long mbuf, which holds a super-frame: a run of cells of the memzone `mbufs`, behind
 * all others, named by the first. So an address is base + index * stride as everywhere.
 */
export function cellsOfLong(stride: number): number {
  return Math.ceil((HEADROOM_BYTES + SUPER_FRAME_MAX) / stride);
}

/** Shortest frame: an Ethernet header. */
export const FRAME_MIN_BYTES = 14;

/** A number that changes whenever an offset above does (FNV-1a over all of them). */
export const LAYOUT_HASH: number = fnv1a(JSON.stringify([
  [LINE_BYTES, DIRECTORY_BYTES, ZONES_BYTES, HEADROOM_BYTES, FRAME_MIN_BYTES],
  [HEADER, REGION_STATE, ENTRY, ZONE_KIND, RING, MPMC, MEMPOOL, DESCRIPTOR, GUEST, CHANNEL, SLEEP],
  [MPMC_END, MPMC_SYNC],
  [DESCRIPTOR_FLAG, METADATA, WATCH, STATE_WORD, FUNCTION_COUNTER, PUSH, PUSH_STATE],
  [SUPER_HEADER, SUPER_FRAME_MAX],
]));

/** A layout's hash as all commands and errors write it. */
export function hashText(hash: number): string {
  return hash.toString(16).padStart(8, "0");
}

function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  }
  return hash >>> 0;
}
