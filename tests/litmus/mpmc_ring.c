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

/* Whether the shim copies and publishes, as it does for longer bursts: app/ring/slots.ts. */
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

/* Soon past 2^32. */
static const uint32_t FIRST = 0u - 1000;

static void finish(int waits_with_edge, int edge, uint32_t tail, uint32_t head, uint32_t n) {
  for (uint32_t tries = 0; WAIT && load(waits_with_edge, tail) != head; tries++) rest(tries);
  store(edge, tail, head + n);
}

static void finish_by_shim(int is_published, uint32_t tail, uint32_t head, uint32_t n) {
  while (!is_published) {
    is_published = shim_store_in_turn(map, tail, head, head + n, 100);
    if (!is_published) shim_yield();
  }
}

static uint32_t enqueue(const uint32_t *elements, uint32_t count) {
  uint32_t head, n;
  do {
    head = shim_load_acquire(map, PRODUCER_HEAD);
    n = SIZE + load(L2, CONSUMER_TAIL) - head;
    if (n > count) n = count;
    if (n == 0) return 0;
  } while (!shim_compare_and_swap(map, PRODUCER_HEAD, head, head + n));
  if (SLOTS_BY_SHIM) {
    finish_by_shim(shim_slots_write(map, SLOTS, SIZE, head & MASK, elements, n, PRODUCER_TAIL, head,
                                    head + n),
                   PRODUCER_TAIL, head, n);
    return n;
  }
  for (uint32_t i = 0; i < n; i++) plain[SLOTS + ((head + i) & MASK)] = elements[i];
  finish(T1, S1, PRODUCER_TAIL, head, n);
  return n;
}

static uint32_t dequeue(uint32_t *elements, uint32_t max) {
  uint32_t head, n;
  do {
    head = shim_load_acquire(map, CONSUMER_HEAD);
    n = load(L1, PRODUCER_TAIL) - head;
    if (n > max) n = max;
    if (n == 0) return 0;
  } while (!shim_compare_and_swap(map, CONSUMER_HEAD, head, head + n));
  if (SLOTS_BY_SHIM) {
    finish_by_shim(shim_slots_read(map, SLOTS, SIZE, head & MASK, elements, n, CONSUMER_TAIL, head,
                                   head + n),
                   CONSUMER_TAIL, head, n);
    return n;
  }
  for (uint32_t i = 0; i < n; i++) elements[i] = plain[SLOTS + ((head + i) & MASK)];
  finish(T2, S2, CONSUMER_TAIL, head, n);
  return n;
}

static uint32_t sent[PRODUCERS], received[CONSUMERS];

static void *produce(void *number) {
  uint32_t me = (uint32_t)(long)number, random = me + 1, elements[BURST];
  for (uint64_t turn = 1; turn % 64 != 0 || seconds_now() < deadline; turn++) {
    uint32_t count = 1 + (random = random * 1664525 + 1013904223) / 65536 % BURST;
    for (uint32_t i = 0; i < count; i++) elements[i] = me << 28 | ((sent[me] + i) & 0xfffffff);
    uint32_t n = enqueue(elements, count);
    if (n == 0) rest((uint32_t)turn);
    sent[me] += n;
  }
  shim_fetch_add(map, DONE, 1);
  return 0;
}

/* The elements of one producer come in its order: what is lost or doubled is missed in the sums. */
static void *consume(void *number) {
  uint32_t me = (uint32_t)(long)number, random = me + 9, elements[BURST], next[PRODUCERS] = {0};
  for (uint32_t tries = 0;; tries++) {
    uint32_t max = 1 + (random = random * 1664525 + 1013904223) / 65536 % BURST;
    uint32_t are_done = shim_load_acquire(map, DONE) == PRODUCERS;
    uint32_t n = dequeue(elements, max);
    if (n == 0 && are_done) break;
    if (n == 0) rest(tries);
    for (uint32_t i = 0; i < n; i++) {
      uint32_t from = elements[i] >> 28, sequence = elements[i] & 0xfffffff;
      count_wrong(from >= PRODUCERS || ((sequence - next[from % PRODUCERS]) & 0xfffffff) > 0x7ffffff);
      next[from % PRODUCERS] = sequence + 1;
    }
    received[me] += n;
  }
  return 0;
}

static void *end(void *number) {
  long me = (long)number;
  return me < PRODUCERS ? produce(number) : consume((void *)(me - PRODUCERS));
}

int main(int count, char **arguments) {
  deadline = seconds_now() + (count == 2 ? atof(arguments[1]) : 1);
  share(WORDS);
  plain[PRODUCER_HEAD] = plain[PRODUCER_TAIL] = FIRST;
  plain[CONSUMER_HEAD] = plain[CONSUMER_TAIL] = FIRST;
  run_threads(PRODUCERS + CONSUMERS, end);
  count_wrong(sent[0] + sent[1] != received[0] + received[1]);
  return report(received[0] + received[1]);
}
