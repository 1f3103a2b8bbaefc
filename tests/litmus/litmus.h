/* What the programs here share: the shim's prototypes, a clock, two threads that run side by side. */
#define _GNU_SOURCE
#include "shim.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int32_t shim_map(void *buffer, uint64_t bytes, int32_t fd, uint64_t offset);
int32_t shim_unmap(int32_t map);
uint32_t shim_load_acquire(int32_t map, uint32_t word);
void shim_store_release(int32_t map, uint32_t word, uint32_t value);
int32_t shim_compare_and_swap(int32_t map, uint32_t word, uint32_t expected, uint32_t desired);
int32_t shim_compare_and_swap_pair(int32_t map, uint32_t word, uint32_t expected_low,
                                   uint32_t expected_high, uint32_t low, uint32_t high);
uint32_t shim_fetch_add(int32_t map, uint32_t word, uint32_t addend);
int32_t shim_store_in_turn(int32_t map, uint32_t word, uint32_t turn, uint32_t value,
                           uint32_t pauses);
int32_t shim_slots_copy(uint32_t route, uint32_t slots, uint32_t burst, uint32_t n, uint32_t turn,
                        uint32_t position);
void shim_full_fence(void);
uint32_t shim_fenced_load(int32_t map, uint32_t word);
void shim_pause(uint32_t times);
void shim_yield(void);

/* Words that different threads write are so far apart, as in app/memory/layout.ts. */
enum { LINE = 32 };

/* The memory that all threads share, as the shim numbers it and as plain words. */
static int32_t map;
static uint32_t *plain;

static inline void share(uint32_t words) {
  map = shim_map(0, (uint64_t)words * 4, -1, 0);
  if (map < 0) abort();
  plain = (uint32_t *)(void *)shim_maps[map].base;
}

static inline double seconds_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Wait a little. On few cores the other thread may need this one. */
static inline void rest(uint32_t tries) {
  if (tries % 256 < 255) shim_pause(1);
  else shim_yield();
}

/* An ordering edge of the algorithm: `-DS1=0` takes it away. */
static inline uint32_t load(int has_edge, uint32_t word) {
  return has_edge ? shim_load_acquire(map, word) : __atomic_load_n(plain + word, __ATOMIC_RELAXED);
}

static inline void store(int has_edge, uint32_t word, uint32_t value) {
  if (has_edge) shim_store_release(map, word, value);
  else __atomic_store_n(plain + word, value, __ATOMIC_RELAXED);
}

/* Until when, and whether somebody has given up. Counts only for the thread that decides the end. */
static double deadline;

/* What went wrong, by all threads. */
static uint64_t wrong;

static inline void count_wrong(uint64_t times) { __atomic_fetch_add(&wrong, times, __ATOMIC_RELAXED); }

/* Run `threads` of `body(number)` side by side until they return. */
static inline void run_threads(int threads, void *(*body)(void *)) {
  pthread_t started[16];
  for (long i = 0; i < threads; i++)
    if (pthread_create(&started[i], 0, body, (void *)i) != 0) abort();
  for (int i = 0; i < threads; i++) pthread_join(started[i], 0);
}

/* Tell how it went: exit status 0 if nothing was wrong. */
static inline int report(uint64_t rounds) {
  printf("%llu rounds, %llu wrong\n", (unsigned long long)rounds, (unsigned long long)wrong);
  return wrong ? 1 : 0;
}
