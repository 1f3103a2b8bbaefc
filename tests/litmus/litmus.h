/* What the programs here share: words in a map, a clock, and threads that run side by side. */
#ifndef LITMUS_H
#define LITMUS_H

#include "shim_api.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* When to end. */
static double deadline;

/* What went wrong, in all threads. */
static uint64_t wrong;

static inline void count_wrong(uint64_t times) {
  __atomic_fetch_add(&wrong, times, __ATOMIC_RELAXED);
}

/* Run `threads` of `body(number)` side by side until they return. */
static inline void run_threads(int threads, void *(*body)(void *)) {
  pthread_t started[16];
  for (long i = 0; i < threads; i++)
    if (pthread_create(&started[i], 0, body, (void *)i) != 0) abort();
  for (int i = 0; i < threads; i++) pthread_join(started[i], 0);
}

/* Print how it went: exit status 0 if nothing was wrong. */
static inline int report(uint64_t rounds) {
  printf("%llu rounds, %llu wrong\n", (unsigned long long)rounds, (unsigned long long)wrong);
  return wrong ? 1 : 0;
}

#endif
