/*
 * app/ring/spsc_ring.ts in C on the shim's calls: `spsc_ring SECONDS`. The slots are plain memory:
 * ThreadSanitizer reports a race if an edge (see tests/model/README.md) is taken away, as `-DL1=0` does.
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

enum { SIZE = 16, MASK = SIZE - 1, BURST = 24 };
enum { PRODUCER = 0, CONSUMER = LINE, DONE = 2 * LINE, SLOTS = 3 * LINE, WORDS = SLOTS + SIZE };

/* Soon past 2^32. */
static const uint32_t FIRST = 0u - 1000;

static void *produce(void *unused) {
  uint32_t producer = FIRST, consumer = FIRST, random = 1;
  for (uint64_t turn = 1; turn % 64 != 0 || seconds_now() < deadline; turn++) {
    uint32_t wanted = 1 + (random = random * 1664525 + 1013904223) / 65536 % BURST;
    if (SIZE - (producer - consumer) < wanted) consumer = load(L2, CONSUMER);
    uint32_t n = SIZE - (producer - consumer);
    if (n > wanted) n = wanted;
    if (n == 0) rest((uint32_t)turn);
    for (uint32_t i = 0; i < n; i++) plain[SLOTS + ((producer + i) & MASK)] = (producer + i) * 7;
    if (n > 0) store(S1, PRODUCER, producer += n);
  }
  shim_store_release(map, DONE, 1);
  return unused;
}

static uint32_t dequeued;

static void *consume(void *unused) {
  uint32_t producer = FIRST, consumer = FIRST, random = 2;
  for (uint32_t tries = 0;; tries++) {
    uint32_t max = 1 + (random = random * 1664525 + 1013904223) / 65536 % BURST;
    uint32_t is_done = shim_load_acquire(map, DONE);
    if (producer - consumer < max) producer = load(L1, PRODUCER);
    uint32_t n = producer - consumer < max ? producer - consumer : max;
    if (n == 0 && is_done) break;
    if (n == 0) rest(tries);
    for (uint32_t i = 0; i < n; i++)
      count_wrong(plain[SLOTS + ((consumer + i) & MASK)] != (consumer + i) * 7);
    if (n > 0) store(S2, CONSUMER, consumer += n);
  }
  dequeued = consumer - FIRST;
  return unused;
}

static void *end(void *number) { return (number ? consume : produce)(0); }

int main(int count, char **arguments) {
  deadline = seconds_now() + (count == 2 ? atof(arguments[1]) : 1);
  share(WORDS);
  plain[PRODUCER] = plain[CONSUMER] = FIRST;
  run_threads(2, end);
  return report(dequeued);
}
