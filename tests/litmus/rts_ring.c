/*
 * app/ring/rts_end.ts in C on the shim's calls: `rts_ring SECONDS`. The slots are plain memory:
 * ThreadSanitizer reports a race if an edge (see tests/model/README.md) is taken away, as `-DL1=0` does. S1
 * and S2 are the pair swap's. C, H, T and N cannot be tried so: what they forbid takes a processor that
 * reorders loads.
 */
#include "litmus.h"

#ifndef L1
#define L1 1
#endif
#ifndef L2
#define L2 1
#endif
/* Not an ordering: whether the tail is moved only when all who have begun have finished. */
#ifndef COUNT
#define COUNT 1
#endif

enum { SIZE = 16, MASK = SIZE - 1, BURST = 6, PRODUCERS = 2, CONSUMERS = 2 };

/* An end has two 64-bit words: how often its tail was moved, and the tail; the head, and how often. */
enum { TAIL_COUNT = 0, TAIL = 1, HEAD = 2, HEAD_COUNT = 3 };
enum { PRODUCER = 0, CONSUMER = LINE, DONE = 2 * LINE, SLOTS = 3 * LINE, WORDS = SLOTS + SIZE };

static void set_positions(uint32_t at) {
  plain[PRODUCER + TAIL] = plain[PRODUCER + HEAD] = plain[CONSUMER + TAIL] = plain[CONSUMER + HEAD] = at;
  plain[PRODUCER + TAIL_COUNT] = plain[PRODUCER + HEAD_COUNT] = 0u - 300;
  plain[CONSUMER + TAIL_COUNT] = plain[CONSUMER + HEAD_COUNT] = 0u - 300;
}

/*
 * ThreadSanitizer takes the swap of a pair for an access to its first word only. So that is loaded,
 * after the tail, with what ordering the load of the tail has.
 */
static uint32_t load_tail(int has_edge, uint32_t end) {
  uint32_t tail = load(has_edge, end + TAIL);
  load(has_edge, end + TAIL_COUNT);
  return tail;
}

static uint32_t claim(uint32_t end, uint32_t opposite, int l, uint32_t most, uint32_t count,
                      uint32_t *at) {
  uint32_t begun, head, n;
  do {
    begun = shim_load_acquire(map, end + HEAD_COUNT);
    head = shim_load_acquire(map, end + HEAD);
    n = most + load_tail(l, opposite) - head;
    if (n > SIZE) n = 0; /* from an old head */
    if (n > count) n = count;
    if (n == 0) return 0;
  } while (shim_compare_and_swap_pair(map, end + HEAD, head, begun, head + n, begun + 1) != 1);
  *at = head;
  return n;
}

static void finish(uint32_t end) {
  uint32_t finished, tail, head, begun, to;
  do {
    finished = shim_load_acquire(map, end + TAIL_COUNT);
    tail = shim_load_acquire(map, end + TAIL);
    head = shim_load_acquire(map, end + HEAD);
    begun = shim_load_acquire(map, end + HEAD_COUNT);
    to = finished + 1 == begun || !COUNT ? head : tail;
  } while (shim_compare_and_swap_pair(map, end, finished, tail, finished + 1, to) != 1);
}

static uint32_t enqueue(const uint32_t *elements, uint32_t count) {
  uint32_t head, n = claim(PRODUCER, CONSUMER, L2, SIZE, count, &head);
  for (uint32_t i = 0; i < n; i++) plain[SLOTS + ((head + i) & MASK)] = elements[i];
  if (n > 0) finish(PRODUCER);
  return n;
}

static uint32_t dequeue(uint32_t *elements, uint32_t max) {
  uint32_t head, n = claim(CONSUMER, PRODUCER, L1, 0, max, &head);
  for (uint32_t i = 0; i < n; i++) elements[i] = plain[SLOTS + ((head + i) & MASK)];
  if (n > 0) finish(CONSUMER);
  return n;
}

#include "ring_run.h"
