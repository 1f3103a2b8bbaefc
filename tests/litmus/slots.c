/*
 * The shim's claim, copy and publish, by which app/ring/slots.ts moves bursts: `slots SECONDS`. Two
 * producers and two consumers at one ring. The slots are plain memory: ThreadSanitizer reports a
 * race if the shim lacks an ordering.
 */
#include "litmus.h"

enum { SIZE_LOG2 = 4, SIZE = 1 << SIZE_LOG2, BURST = 6, PRODUCERS = 2, CONSUMERS = 2 };

/* An end's head lies in front of its tail. */
enum { HEAD = 0, TAIL = 1 };
enum { PRODUCER = 0, CONSUMER = LINE, DONE = 2 * LINE, SLOTS = 3 * LINE, WORDS = SLOTS + SIZE };

static uint32_t sent[PRODUCERS], received[CONSUMERS];

/* The map that a thread's burst lies in, and the burst. */
static __thread int32_t own_map;
static __thread uint32_t *burst;

static void make_burst(void) {
  own_map = shim_map(0, 4096, -1, 0);
  if (own_map < 0) abort();
  burst = (uint32_t *)(void *)shim_maps[own_map].base;
}

/* Move up to `most` elements; returns how many. `reads` is 1 to dequeue. */
static uint32_t move(uint32_t end, uint32_t opposite, uint32_t reads, uint32_t most) {
  uint32_t claims = 1, maps = (uint32_t)map | (uint32_t)own_map << 11;
  uint32_t route = maps | SIZE_LOG2 << 22 | reads << 29 | claims << 30;
  for (;;) {
    uint32_t head = shim_load_acquire(map, end + HEAD);
    uint32_t n = (reads ? 0 : SIZE) + shim_load_acquire(map, opposite + TAIL) - head;
    if (n > SIZE) continue; /* the opposite tail is newer than the head */
    if (n > most) n = most;
    if (n == 0) return 0;
    int is_published = shim_slots_copy(route, SLOTS, 0, n, head, end + TAIL);
    if (is_published < 0) continue; /* another thread has claimed */
    while (!is_published) {
      is_published = shim_store_in_turn(map, end + TAIL, head, head + n, 100);
      if (!is_published) shim_yield();
    }
    return n;
  }
}

static void produce(uint32_t me) {
  uint32_t random = me + 1;
  for (uint64_t turn = 1; turn % 64 != 0 || seconds_now() < deadline; turn++) {
    uint32_t count = 1 + (random = random * 1664525 + 1013904223) / 65536 % BURST;
    for (uint32_t i = 0; i < count; i++) burst[i] = me << 28 | ((sent[me] + i) & 0xfffffff);
    uint32_t n = move(PRODUCER, CONSUMER, 0, count);
    if (n == 0) rest((uint32_t)turn);
    sent[me] += n;
  }
  shim_fetch_add(map, DONE, 1);
}

/* The elements of one producer come in order. The sums show whether one was lost or doubled. */
static void consume(uint32_t me) {
  uint32_t random = me + 9, next[PRODUCERS] = {0};
  for (uint32_t tries = 0;; tries++) {
    uint32_t most = 1 + (random = random * 1664525 + 1013904223) / 65536 % BURST;
    uint32_t are_done = shim_load_acquire(map, DONE) == PRODUCERS;
    uint32_t n = move(CONSUMER, PRODUCER, 1, most);
    if (n == 0 && are_done) break;
    if (n == 0) rest(tries);
    for (uint32_t i = 0; i < n; i++) {
      uint32_t from = burst[i] >> 28, number = burst[i] & 0xfffffff;
      uint32_t ahead = (number - next[from % PRODUCERS]) & 0xfffffff;
      count_wrong(from >= PRODUCERS || ahead > 0x7ffffff);
      next[from % PRODUCERS] = number + 1;
    }
    received[me] += n;
  }
}

static void *run(void *number) {
  uint32_t me = (uint32_t)(long)number;
  make_burst();
  if (me < PRODUCERS) produce(me);
  else consume(me - PRODUCERS);
  return 0;
}

int main(int count, char **arguments) {
  deadline = seconds_now() + (count == 2 ? atof(arguments[1]) : 1);
  share(WORDS);
  uint32_t first = 0u - 1000; /* positions soon wrap */
  plain[PRODUCER + HEAD] = plain[PRODUCER + TAIL] = first;
  plain[CONSUMER + HEAD] = plain[CONSUMER + TAIL] = first;
  run_threads(PRODUCERS + CONSUMERS, run);
  count_wrong(sent[0] + sent[1] != received[0] + received[1]);
  return report(received[0] + received[1]);
}
