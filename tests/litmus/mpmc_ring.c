/*
 * app/ring/mpmc_ring.ts in C on the shim's calls: `mpmc_ring SECONDS`. The slots are plain memory:
 * ThreadSanitizer reports a race if an edge (see tests/model/README.md) is taken away, as `-DT1=0` does.
 * C1, H1, C2 and H2 cannot be tried so: what they forbid takes a processor that reorders loads.
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
/* Not an ordering: whether the second step waits for those who claimed before. */
#ifndef WAIT
#define WAIT 1
#endif

/* Whether the shim claims, copies and publishes, as it does with bursts of newBurst(): app/ring/slots.ts. */
#ifndef SLOTS_BY_SHIM
#define SLOTS_BY_SHIM 0
#endif

enum { SIZE = 16, MASK = SIZE - 1, BURST = 6, PRODUCERS = 2, CONSUMERS = 2 };
enum {
  PRODUCER_HEAD = 0,
  PRODUCER_TAIL = 1,
  CONSUMER_HEAD = LINE,
  CONSUMER_TAIL = LINE + 1,
  DONE = 2 * LINE,
  SLOTS = 3 * LINE,
  WORDS = SLOTS + SIZE
};

static void set_positions(uint32_t at) {
  plain[PRODUCER_HEAD] = plain[PRODUCER_TAIL] = plain[CONSUMER_HEAD] = plain[CONSUMER_TAIL] = at;
}

static void finish(int waits_with_edge, int edge, uint32_t tail, uint32_t head, uint32_t n) {
  for (uint32_t tries = 0; WAIT && load(waits_with_edge, tail) != head; tries++) rest(tries);
  store(edge, tail, head + n);
}

/* A thread's own bursts, as `newBurst()` makes them. */
static __thread int32_t own_map = -1;

static uint32_t *own(void) {
  if (own_map < 0) own_map = shim_map(0, 4096, -1, 0);
  if (own_map < 0) abort();
  return (uint32_t *)(void *)shim_maps[own_map].base;
}

/* 0 if somebody else has claimed. */
static int move_by_shim(int reads, uint32_t tail, uint32_t head, uint32_t n) {
  enum { SIZE_LOG2 = 4 };
  uint32_t route = (uint32_t)map | (uint32_t)own_map << 11 | SIZE_LOG2 << 22 | (uint32_t)reads << 29 | 1u << 30;
  int is_published = shim_slots_copy(route, SLOTS, 0, n, head, tail);
  if (is_published < 0) return 0;
  while (!is_published) {
    is_published = shim_store_in_turn(map, tail, head, head + n, 100);
    if (!is_published) shim_yield();
  }
  return 1;
}

static uint32_t enqueue(const uint32_t *elements, uint32_t count) {
  uint32_t head, n;
  do {
    head = shim_load_acquire(map, PRODUCER_HEAD);
    n = SIZE + load(L2, CONSUMER_TAIL) - head;
    if (n > count) n = count;
    if (n == 0) return 0;
    if (SLOTS_BY_SHIM) memcpy(own(), elements, (size_t)n * 4);
  } while (!(SLOTS_BY_SHIM ? move_by_shim(0, PRODUCER_TAIL, head, n)
                           : shim_compare_and_swap(map, PRODUCER_HEAD, head, head + n)));
  if (SLOTS_BY_SHIM) return n;
  for (uint32_t i = 0; i < n; i++) plain[SLOTS + ((head + i) & MASK)] = elements[i];
  finish(T1, S1, PRODUCER_TAIL, head, n);
  return n;
}

static uint32_t dequeue(uint32_t *elements, uint32_t max) {
  uint32_t head, n;
  const uint32_t *burst = own();
  do {
    head = shim_load_acquire(map, CONSUMER_HEAD);
    n = load(L1, PRODUCER_TAIL) - head;
    if (n > max) n = max;
    if (n == 0) return 0;
  } while (!(SLOTS_BY_SHIM ? move_by_shim(1, CONSUMER_TAIL, head, n)
                           : shim_compare_and_swap(map, CONSUMER_HEAD, head, head + n)));
  if (SLOTS_BY_SHIM) {
    memcpy(elements, burst, (size_t)n * 4);
    return n;
  }
  for (uint32_t i = 0; i < n; i++) elements[i] = plain[SLOTS + ((head + i) & MASK)];
  finish(T2, S2, CONSUMER_TAIL, head, n);
  return n;
}

#include "ring_run.h"
