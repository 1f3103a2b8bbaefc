/* Atomic access to words of a map, and the hints that go with it. An out-of-range word is always 0. */
#include "shim.h"

#include <sched.h>
#include <string.h>

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

/* The value that was found; it was swapped if it is `expected`. Sequentially consistent. */
SHIM_API uint32_t shim_compare_exchange(int32_t map, uint32_t word, uint32_t expected,
                                        uint32_t desired) {
  uint32_t *at = word_at(map, word, 0);
  if (!at) return expected + 1;
  __atomic_compare_exchange_n(at, &expected, desired, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}

/* As shim_compare_and_swap, of two words at once; the first one is even. */
SHIM_API int32_t shim_compare_and_swap_pair(int32_t map, uint32_t word, uint32_t expected_low,
                                            uint32_t expected_high, uint32_t low, uint32_t high) {
  uint32_t *at = word_at(map, word | 1, 0);
  uint64_t expected = (uint64_t)expected_high << 32 | expected_low;
  uint64_t desired = (uint64_t)high << 32 | low;
  return at && __atomic_compare_exchange_n((uint64_t *)(void *)(at - 1), &expected, desired, 0,
                                           __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
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

/* Wait for the word to be `turn`, so many pauses at most, then store with release ordering: 1. */
SHIM_API int32_t shim_store_in_turn(int32_t map, uint32_t word, uint32_t turn, uint32_t value,
                                    uint32_t pauses) {
  uint32_t *at = word_at(map, word, 0);
  if (!at) return 1;
  while (__atomic_load_n(at, __ATOMIC_ACQUIRE) != turn) {
    if (pauses-- == 0) return 0;
    relax();
  }
  __atomic_store_n(at, value, __ATOMIC_RELEASE);
  return 1;
}

SHIM_API void shim_yield(void) { sched_yield(); }

/* Part of a ring's `size` words of slots from word `slots` on, which wrap. */
static inline uint32_t *slots_at(int32_t map, uint32_t slots, uint32_t size, uint32_t at,
                                 uint32_t words) {
  const struct shim_map *m = &shim_maps[map & (SHIM_MAPS - 1)];
  if (at >= size || words > size || ((uint64_t)slots + size) * 4 > m->bytes) return 0;
  return (uint32_t *)(void *)m->base + slots;
}

/* If the word is `turn`, store `value` with release ordering: 1. */
static inline int32_t publish(int32_t map, uint32_t position, uint32_t turn, uint32_t value) {
  uint32_t nowhere = turn + 1, *at = word_at(map, position, &nowhere);
  if (__atomic_load_n(at, __ATOMIC_ACQUIRE) != turn) return 0;
  __atomic_store_n(at, value, __ATOMIC_RELEASE);
  return 1;
}

/* Copy a burst to the slots from `at` on, then publish the position: 1, or 0 if not its turn. */
SHIM_API int32_t shim_slots_write(int32_t map, uint32_t slots, uint32_t size, uint32_t at,
                                  const uint32_t *burst, uint32_t words, uint32_t position,
                                  uint32_t turn, uint32_t value) {
  uint32_t *to = slots_at(map, slots, size, at, words);
  if (!to) return 0;
  uint32_t first = words < size - at ? words : size - at;
  memcpy(to + at, burst, (size_t)first * 4);
  if (first < words) memcpy(to, burst + first, (size_t)(words - first) * 4);
  return publish(map, position, turn, value);
}

/* Copy the slots from `at` on to a burst, then publish as above. */
SHIM_API int32_t shim_slots_read(int32_t map, uint32_t slots, uint32_t size, uint32_t at,
                                 uint32_t *burst, uint32_t words, uint32_t position, uint32_t turn,
                                 uint32_t value) {
  const uint32_t *from = slots_at(map, slots, size, at, words);
  if (!from) return 0;
  uint32_t first = words < size - at ? words : size - at;
  memcpy(burst, from + at, (size_t)first * 4);
  if (first < words) memcpy(burst + first, from, (size_t)(words - first) * 4);
  return publish(map, position, turn, value);
}

/* Ask for the first cache line of each frame of a burst, to be written. */
SHIM_API void shim_prefetch(int32_t map, const uint32_t *descriptors, uint32_t count) {
  const struct shim_map *m = &shim_maps[map & (SHIM_MAPS - 1)];
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *frame = shim_frame(m, descriptors + 2 * i);
    if (frame) __builtin_prefetch(frame, 1, 3);
  }
}
