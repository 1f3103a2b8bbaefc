/* Atomic access to words of a map, and hints. A word outside of its map reads as 0. */
#include "shim.h"

#include <errno.h>
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

/* As shim_load_acquire; if the word is still `old`, also fetch the line of the word `next`. */
SHIM_API uint32_t shim_load_awaited(int32_t map, uint32_t word, uint32_t old, uint32_t next) {
  uint32_t nowhere = 0, value = shim_load_acquire(map, word);
  if (value == old) __builtin_prefetch(word_at(map, next, &nowhere));
  return value;
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

/* As shim_compare_and_swap, for two words at once, the first of which has an even number. -1 if
 * they are outside of the map. */
SHIM_API int32_t shim_compare_and_swap_pair(int32_t map, uint32_t word, uint32_t expected_low,
                                            uint32_t expected_high, uint32_t low, uint32_t high) {
  uint32_t *at = word_at(map, word | 1, 0);
  uint64_t expected = (uint64_t)expected_high << 32 | expected_low;
  uint64_t desired = (uint64_t)high << 32 | low;
  if (!at) return -1; /* a caller that retries would never end */
  return __atomic_compare_exchange_n((uint64_t *)(void *)(at - 1), &expected, desired, 0,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* The value before the addition. Sequentially consistent. */
SHIM_API uint32_t shim_fetch_add(int32_t map, uint32_t word, uint32_t addend) {
  uint32_t zero = 0;
  return __atomic_fetch_add(word_at(map, word, &zero), addend, __ATOMIC_SEQ_CST);
}

SHIM_API void shim_full_fence(void) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

/* A full fence, then a load: earlier stores are visible to others before the word is read. */
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

/* Once the word is `turn`, store `value` with release ordering: 1. After `pauses` waits: 0. */
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

static inline void copy_words(uint32_t *restrict to, const uint32_t *restrict from,
                              uint64_t words) {
  for (; words >= 16; words -= 16, to += 16, from += 16) memcpy(to, from, 64);
  if (words & 8) memcpy(to, from, 32), to += 8, from += 8;
  if (words & 4) memcpy(to, from, 16), to += 4, from += 4;
  if (words & 2) memcpy(to, from, 8), to += 2, from += 2;
  if (words & 1) *to = *from;
}

static inline void copy_slots(uint32_t *slots, uint32_t *own, uint64_t words, uint32_t reads) {
  copy_words(reads ? own : slots, reads ? slots : own, words);
}

/* Copy `first` words up to the end of the slots, and the rest from their start. Not inlined: that
 * would slow down all copies. */
static __attribute__((noinline)) void copy_round(uint32_t *slots, uint32_t size, uint32_t first,
                                                 uint32_t *own, uint64_t words, uint32_t reads) {
  copy_slots(slots + size - first, own, first, reads);
  copy_slots(slots, own + first, words - first, reads);
}

/* If the word is `turn`, store `turn + n` with release ordering: 1. Otherwise 0. */
static inline int32_t publish(const struct shim_map *map, uint32_t word, uint32_t turn,
                              uint32_t n) {
  uint32_t *at = (uint32_t *)(void *)map->base + word;
  if ((uint64_t)word * 4 >= map->bytes || __atomic_load_n(at, __ATOMIC_ACQUIRE) != turn) return 0;
  __atomic_store_n(at, turn + n, __ATOMIC_RELEASE);
  return 1;
}

/*
 * Copy `n` elements between a burst, which begins at word `burst` of its map, and a ring, whose
 * slots begin at word `slots` of its map, from position `turn` on. Then publish: if the word `tail`
 * of the ring's map is `turn`, store `turn + n` there with release ordering and return 1. If it has
 * another value, or is no word of the map, return 0. If slots or burst reach out of their maps, or
 * there are fewer than `n` slots, do nothing and return -EFAULT.
 *
 * If `route` says to claim, first set the head, the word before the tail, from `turn` to
 * `turn + n`, sequentially consistent. If it has another value, do nothing and return -EAGAIN.
 *
 * route, from its least bit on: the ring's map (11), the burst's map (11), log2 of the slots' words
 * (5), log2 of an element's words (2), 1 to read the slots (1), 1 to claim (1).
 */
SHIM_API int32_t shim_slots_copy(uint32_t route, uint32_t slots, uint32_t burst, uint32_t n,
                                 uint32_t turn, uint32_t tail) {
  const struct shim_map *map = &shim_maps[route & (SHIM_MAPS - 1)];
  const struct shim_map *own_map = &shim_maps[route >> 11 & (SHIM_MAPS - 1)];
  uint32_t shift = route >> 27 & 3, size = 1u << (route >> 22 & 31);
  uint32_t at = turn << shift & (size - 1);
  uint32_t reads = route >> 29 & 1, claims = route >> 30 & 1, head = turn;
  uint64_t words = (uint64_t)n << shift;
  if (((uint64_t)slots + size) * 4 > map->bytes || (burst + words) * 4 > own_map->bytes ||
      words > size)
    return -EFAULT;
  uint32_t *base = (uint32_t *)(void *)map->base, *own = (uint32_t *)(void *)own_map->base + burst;
  if (claims && (uint64_t)(tail - 1) * 4 >= map->bytes) return -EFAULT;
  if (claims && !__atomic_compare_exchange_n(base + (tail - 1), &head, turn + n, 0,
                                             __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
    return -EAGAIN;
  if (words > size - at) copy_round(base + slots, size, size - at, own, words, reads);
  else copy_slots(base + slots + at, own, words, reads);
  return publish(map, tail, turn, n);
}

/* Prefetch the first cache line of each frame, for writing. The mbufs are in the map `frames`;
 * their `count` descriptors begin at word `word` of the map `burst`. */
SHIM_API void shim_prefetch(int32_t frames, int32_t burst, uint32_t word, uint32_t count) {
  const struct shim_map *m = &shim_maps[frames & (SHIM_MAPS - 1)];
  const uint32_t *descriptors = shim_descriptors(burst, word, count);
  if (!descriptors) return;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *frame = shim_frame(m, descriptors + 2 * i);
    if (frame) __builtin_prefetch(frame, 1, 3);
  }
}
