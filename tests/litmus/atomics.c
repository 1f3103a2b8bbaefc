/*
 * Litmus tests of the shim's atomics: `atomics TEST SECONDS`. Data is plain memory, so that
 * ThreadSanitizer reports a race if an ordering is missing. The program counts wrong outcomes too.
 */
#include "litmus.h"

static uint64_t rounds;

/* Whether the time is up, asked once in a while. */
static int is_over(uint64_t round) { return round % 64 == 0 && seconds_now() >= deadline; }

/* message_passing: data, then a release store; an acquire load, then data. */
enum { DATA = 0, DATA_WORDS = 8, FLAG = LINE, ACK = 2 * LINE, PASSING_WORDS = 3 * LINE, STOP = 0 };

static void *send(void *unused) {
  uint32_t message = 0;
  do {
    if (++message == STOP) message++;
    for (int i = 0; i < DATA_WORDS; i++) plain[DATA + i] = message + (uint32_t)i;
    shim_store_release(map, FLAG, message);
    for (uint32_t tries = 0; shim_load_acquire(map, ACK) != message; tries++) rest(tries);
    rounds++;
  } while (!is_over(rounds));
  shim_store_release(map, FLAG, STOP);
  return unused;
}

static void *receive(void *unused) {
  uint32_t last = 0, message = 0;
  for (;; last = message) {
    for (uint32_t tries = 0; (message = shim_load_acquire(map, FLAG)) == last; tries++) rest(tries);
    if (message == STOP) return unused;
    for (int i = 0; i < DATA_WORDS; i++) count_wrong(plain[DATA + i] != message + (uint32_t)i);
    shim_store_release(map, ACK, message);
  }
}

static void *pass(void *number) { return (number ? receive : send)(0); }

/*
 * lock: a counter behind a lock that compare-and-swap takes and a release store leaves.
 * pair_lock: a swap of two words takes it; the second one counts how often.
 */
enum { LOCK = 0, COUNTER = LINE, LOCK_WORDS = 2 * LINE };
static uint64_t locked[2];
static int by_pair;

static int32_t take_lock(void) {
  if (!by_pair) return shim_compare_and_swap(map, LOCK, 0, 1);
  uint32_t times = shim_load_acquire(map, LOCK + 1);
  return shim_compare_and_swap_pair(map, LOCK, 0, times, 1, times + 1);
}

static void *count_locked(void *number) {
  uint64_t mine = 0;
  while (!is_over(++mine)) {
    for (uint32_t tries = 0; !take_lock(); tries++) rest(tries);
    plain[COUNTER]++;
    locked[(long)number]++;
    shim_store_release(map, LOCK, 0);
  }
  return 0;
}

/* additions: none is lost, by compare-and-swap or by fetch-and-add. */
enum { ADDERS = 3, ADDED = 0, SWAPPED = LINE, ADDITION_WORDS = 2 * LINE };
static uint64_t additions[ADDERS];

static void *add(void *number) {
  uint64_t mine = 0;
  while (!is_over(++mine)) {
    shim_fetch_add(map, ADDED, 3);
    uint32_t seen;
    do seen = shim_load_acquire(map, SWAPPED);
    while (!shim_compare_and_swap(map, SWAPPED, seen, seen + 1));
    additions[(long)number]++;
  }
  return 0;
}

/* store_buffering: each stores, fences, loads the other's word. Both loading old words is wrong. */
enum { MINE = LINE, ROUND = 3 * LINE, SEEN = 5 * LINE, BUFFERING_WORDS = 8 * LINE };
static int by_fenced_load;

/* Wait until the other thread is in the same round too, to within some cycles. */
static void meet(long me, uint32_t round) {
  uint32_t mine = ROUND + (uint32_t)me * LINE, other = ROUND + (uint32_t)(1 - me) * LINE;
  shim_store_release(map, mine, round);
  for (uint32_t tries = 1; shim_load_acquire(map, other) < round; tries++)
    if (tries % 4096 == 0) shim_yield();
}

static void *buffer(void *number) {
  long me = (long)number;
  uint32_t mine = MINE + (uint32_t)me * LINE, other = MINE + (uint32_t)(1 - me) * LINE;
  for (uint32_t round = 1;; round++) {
    if (me == 0) shim_store_release(map, 0, round % 64 == 0 && seconds_now() >= deadline);
    meet(me, 3 * round);
    if (shim_load_acquire(map, 0)) return 0;
    shim_store_release(map, mine, round);
    if (!by_fenced_load) shim_full_fence();
    uint32_t seen = by_fenced_load ? shim_fenced_load(map, other) : shim_load_acquire(map, other);
    shim_store_release(map, SEEN + (uint32_t)me * LINE, seen);
    meet(me, 3 * round + 1);
    if (me == 0) {
      rounds++;
      uint32_t first = shim_load_acquire(map, SEEN), second = shim_load_acquire(map, SEEN + LINE);
      count_wrong(first < round && second < round);
    }
    meet(me, 3 * round + 2);
  }
}

/* arrival: the thread that comes second, by fetch-and-add, reads what the first has written. */
enum { ARRIVALS = BUFFERING_WORDS, PLACES = 1024, ARRIVAL_WORDS = ARRIVALS + PLACES };
static uint32_t left_by[2][PLACES];

static void *arrive(void *number) {
  long me = (long)number;
  for (uint32_t round = 1;; round++) {
    if (me == 0) shim_store_release(map, 0, seconds_now() >= deadline);
    meet(me, 2 * round);
    if (shim_load_acquire(map, 0)) return 0;
    for (uint32_t i = 0; i < PLACES; i++) {
      left_by[me][i] = round + i;
      if (shim_fetch_add(map, ARRIVALS + i, 1) % 2) count_wrong(left_by[1 - me][i] != round + i);
    }
    meet(me, 2 * round + 1);
    if (me == 0) rounds++;
  }
}

/* maps: threads map and unmap at the same time; a number is never given twice. */
static int is_used[SHIM_MAPS];

static void *map_often(void *unused) {
  for (uint64_t i = 1; !is_over(i); i++) {
    int32_t id = shim_map(0, 4096, -1, 0);
    if (id < 0) abort();
    count_wrong(is_used[id]++ != 0); /* plain: a race if two had it at once */
    shim_store_release(id, 1023, 1);
    is_used[id]--;
    if (shim_unmap(id) != 0) abort();
    if (i % 8 == 0) __atomic_fetch_add(&rounds, 8, __ATOMIC_RELAXED);
  }
  return unused;
}

int main(int count, char **arguments) {
  const char *test = count == 3 ? arguments[1] : "";
  deadline = seconds_now() + (count == 3 ? atof(arguments[2]) : 0);
  if (strcmp(test, "message_passing") == 0) {
    share(PASSING_WORDS);
    run_threads(2, pass);
  } else if (strcmp(test, "lock") == 0 || strcmp(test, "pair_lock") == 0) {
    by_pair = strcmp(test, "pair_lock") == 0;
    share(LOCK_WORDS);
    run_threads(2, count_locked);
    rounds = locked[0] + locked[1];
    count_wrong(plain[COUNTER] != (uint32_t)rounds);
    count_wrong(by_pair && plain[LOCK + 1] != (uint32_t)rounds);
  } else if (strcmp(test, "arrival") == 0) {
    share(ARRIVAL_WORDS);
    run_threads(2, arrive);
  } else if (strcmp(test, "additions") == 0) {
    share(ADDITION_WORDS);
    run_threads(ADDERS, add);
    for (int i = 0; i < ADDERS; i++) rounds += additions[i];
    count_wrong(plain[ADDED] != (uint32_t)(3 * rounds));
    count_wrong(plain[SWAPPED] != (uint32_t)rounds);
  } else if (strncmp(test, "store_buffering", 15) == 0) {
    by_fenced_load = strcmp(test, "store_buffering_fenced_load") == 0;
    share(BUFFERING_WORDS);
    run_threads(2, buffer);
  } else if (strcmp(test, "maps") == 0) {
    run_threads(3, map_often);
  } else {
    fprintf(stderr, "usage: %s TEST SECONDS\n", arguments[0]);
    return 2;
  }
  return report(rounds);
}
