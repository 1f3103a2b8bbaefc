/* Atomic access to words of a map, and the hints that go with it. An out-of-range word is always 0. */
#include "shim.h"

#include <sched.h>

static inline uint32_t *word_at(int32_t map, uint32_t word, uint32_t *nowhere) {
  struct shim_map *m = &shim_maps[map & (SHIM_MAPS - 1)];
  return (uint64_t)word * 4 + 4 <= m->bytes ? (uint32_t *)(void *)m->base + word : nowhere;
}

SHIM_API uint32_t shim_load_acquire(int32_t map, uint32_t word) {
  uint32_t zero = 0;
  return __atomic_load_n(word_at(map, word, &zero), __ATOMIC_ACQUIRE);
}

SHIM_API void shim_store_release(int32_t map, uint32_t word, uint32_t value) {
  uint32_t zero = 0;
  __atomic_store_n(word_at(map, word, &zero), value, __ATOMIC_RELEASE);
}

/* 1 if the word held `expected` and now holds `desired`, else 0. Sequentially consistent. */
SHIM_API int32_t shim_compare_and_swap(int32_t map, uint32_t word, uint32_t expected,
                                       uint32_t desired) {
  uint32_t *at = word_at(map, word, 0);
  return at && __atomic_compare_exchange_n(at, &expected, desired, 0, __ATOMIC_SEQ_CST,
                                           __ATOMIC_SEQ_CST);
}

/* The value before the addition. Sequentially consistent. */
SHIM_API uint32_t shim_fetch_add(int32_t map, uint32_t word, uint32_t addend) {
  uint32_t zero = 0;
  return __atomic_fetch_add(word_at(map, word, &zero), addend, __ATOMIC_SEQ_CST);
}

SHIM_API void shim_full_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* A full fence, then a load: what was stored before is visible before this is read. */
SHIM_API uint32_t shim_fenced_load(int32_t map, uint32_t word) {
  uint32_t zero = 0;
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  return __atomic_load_n(word_at(map, word, &zero), __ATOMIC_ACQUIRE);
}

static inline void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  __asm__ volatile("" ::: "memory");
#endif
}

/* Wait a little, without giving up the core. */
SHIM_API void shim_pause(uint32_t times) {
  while (times-- > 0) relax();
}

SHIM_API void shim_yield(void) { sched_yield(); }

/* Ask for the first cache line of each frame of a burst, to be written. */
SHIM_API void shim_prefetch(int32_t map, const uint32_t *descriptors, uint32_t count) {
  const struct shim_map *m = &shim_maps[map & (SHIM_MAPS - 1)];
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *frame = shim_frame(m, descriptors + 2 * i);
    if (frame) __builtin_prefetch(frame, 1, 3);
  }
}
