/*
 * app/ring/hts_end.ts in C on the shim's calls: `hts_ring SECONDS`. The slots are plain memory:
 * ThreadSanitizer reports a race if an edge (see tests/model/README.md) is taken away, as `-DT1=0` does.
 */
#include "litmus.h"

#ifndef S1
#define S1 1
#endif
#ifndef L1
#define L1 1
#endif
#ifndef S2
#define S2 1
#endif
#ifndef L2
#define L2 1
#endif
#ifndef T1
#define T1 1
#endif
#ifndef T2
#define T2 1
#endif

enum { SIZE = 16, MASK = SIZE - 1, BURST = 6, PRODUCERS = 2, CONSUMERS = 2 };

/* Head and tail of an end are one 64-bit word: its low half and its high. */
enum { HEAD = 0, TAIL = 1 };
enum { PRODUCER = 0, CONSUMER = LINE, DONE = 2 * LINE, SLOTS = 3 * LINE, WORDS = SLOTS + SIZE };

static void set_positions(uint32_t at) {
  plain[PRODUCER + HEAD] = plain[PRODUCER + TAIL] = plain[CONSUMER + HEAD] = plain[CONSUMER + TAIL] = at;
}

/* Claim up to `count` slots of an end, of `most` and those by which the opposite tail is ahead. */
static uint32_t claim(uint32_t end, int t, uint32_t opposite, int l, uint32_t most, uint32_t count,
                      uint32_t *at) {
  uint32_t head, tail, n;
  do {
    for (uint32_t tries = 0;; tries++) {
      tail = load(t, end + TAIL);
      head = load(0, end + HEAD);
      if (head == tail) break;
      rest(tries);
    }
    n = most + load(l, opposite + TAIL) - head;
    if (n > SIZE) n = 0; /* from an old head */
    if (n > count) n = count;
    if (n == 0) return 0;
  } while (shim_compare_and_swap_pair(map, end, head, head, head + n, head) != 1);
  *at = head;
  return n;
}

static uint32_t enqueue(const uint32_t *elements, uint32_t count) {
  uint32_t head, n = claim(PRODUCER, T1, CONSUMER, L2, SIZE, count, &head);
  for (uint32_t i = 0; i < n; i++) plain[SLOTS + ((head + i) & MASK)] = elements[i];
  if (n > 0) store(S1, PRODUCER + TAIL, head + n);
  return n;
}

static uint32_t dequeue(uint32_t *elements, uint32_t max) {
  uint32_t head, n = claim(CONSUMER, T2, PRODUCER, L1, 0, max, &head);
  for (uint32_t i = 0; i < n; i++) elements[i] = plain[SLOTS + ((head + i) & MASK)];
  if (n > 0) store(S2, CONSUMER + TAIL, head + n);
  return n;
}

#include "ring_run.h"
