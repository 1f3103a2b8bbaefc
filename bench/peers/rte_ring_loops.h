/*
 * The loops of rte_ring.c. `bulk`, as bench/ring_worker.ts does: the first element of each bulk
 * carries its number, the others a mark; the consumer checks the first and the last. What is timed
 * is the ring, not the caller's loops. `zc`: every element is its number, written and compared in
 * the ring's own slots. `both`: one lcore enqueues and dequeues in turns.
 */
#ifndef RTE_RING_LOOPS_H
#define RTE_RING_LOOPS_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_ring.h>
#include <rte_ring_peek_zc.h>

#define MAX_BURST 256
#define MARK 0x05ea0080u

struct run {
	struct rte_ring *ring;
	uint64_t elements;
	uint64_t errors;
	unsigned burst;
	unsigned pauses;
	bool ready;
};

static __rte_always_inline void
idle(unsigned pauses)
{
	while (pauses--)
		rte_pause();
}

static __rte_always_inline unsigned
wanted(const struct run *run, uint64_t next)
{
	return RTE_MIN((uint64_t)run->burst, run->elements - next);
}

/*
 * A set of functions per mode and element, so that rte_ring's inline functions are compiled into
 * the loops.
 */
#define BULK(name, type, p, c) \
	static void produce_bulk_##name(struct run *run) \
	{ \
		type objects[MAX_BURST]; \
		for (unsigned i = 0; i < MAX_BURST; i++) \
			objects[i] = MARK; \
		for (uint64_t next = 0; next < run->elements;) { \
			unsigned want = wanted(run, next); \
			objects[0] = next; \
			while (rte_ring_##p##_enqueue_bulk_elem(run->ring, objects, sizeof(type), want, NULL) == 0) \
				idle(run->pauses); \
			next += want; \
		} \
	} \
	static int consume_bulk_##name(void *arg) \
	{ \
		struct run *run = arg; \
		type objects[MAX_BURST]; \
		uint64_t errors = 0; \
		__atomic_store_n(&run->ready, true, __ATOMIC_RELEASE); \
		for (uint64_t next = 0; next < run->elements;) { \
			unsigned want = wanted(run, next); \
			if (rte_ring_##c##_dequeue_bulk_elem(run->ring, objects, sizeof(type), want, NULL) == 0) { \
				idle(run->pauses); \
				continue; \
			} \
			errors += objects[0] != (type)next; \
			errors += want > 1 && objects[want - 1] != MARK; \
			next += want; \
		} \
		run->errors = errors; \
		return 0; \
	} \
	static void both_bulk_##name(struct run *run) \
	{ \
		type sent[MAX_BURST], got[MAX_BURST]; \
		uint64_t errors = 0; \
		for (unsigned i = 0; i < MAX_BURST; i++) \
			sent[i] = MARK; \
		for (uint64_t next = 0; next < run->elements;) { \
			unsigned want = wanted(run, next); \
			sent[0] = next; \
			errors += rte_ring_##p##_enqueue_bulk_elem(run->ring, sent, sizeof(type), want, NULL) != want; \
			errors += rte_ring_##c##_dequeue_bulk_elem(run->ring, got, sizeof(type), want, NULL) != want; \
			errors += got[0] != (type)next; \
			errors += want > 1 && got[want - 1] != MARK; \
			next += want; \
		} \
		run->errors = errors; \
	}

#define ZC(name, type) \
	static __rte_always_inline unsigned fill_##name(struct run *run, uint64_t next) \
	{ \
		struct rte_ring_zc_data slots; \
		unsigned n = rte_ring_enqueue_zc_bulk_elem_start(run->ring, sizeof(type), wanted(run, next), \
								 &slots, NULL); \
		if (n == 0) \
			return 0; \
		type *first = slots.ptr1, *wrapped = slots.ptr2; \
		unsigned n1 = RTE_MIN(n, slots.n1); \
		for (unsigned i = 0; i < n1; i++) \
			first[i] = next + i; \
		for (unsigned i = n1; i < n; i++) \
			wrapped[i - n1] = next + i; \
		rte_ring_enqueue_zc_elem_finish(run->ring, n); \
		return n; \
	} \
	static __rte_always_inline unsigned empty_##name(struct run *run, uint64_t next, \
							 uint64_t *errors) \
	{ \
		struct rte_ring_zc_data slots; \
		unsigned n = rte_ring_dequeue_zc_bulk_elem_start(run->ring, sizeof(type), wanted(run, next), \
								 &slots, NULL); \
		if (n == 0) \
			return 0; \
		const type *first = slots.ptr1, *wrapped = slots.ptr2; \
		unsigned n1 = RTE_MIN(n, slots.n1); \
		for (unsigned i = 0; i < n1; i++) \
			*errors += first[i] != (type)(next + i); \
		for (unsigned i = n1; i < n; i++) \
			*errors += wrapped[i - n1] != (type)(next + i); \
		rte_ring_dequeue_zc_elem_finish(run->ring, n); \
		return n; \
	} \
	static void produce_zc_##name(struct run *run) \
	{ \
		for (uint64_t next = 0; next < run->elements;) { \
			unsigned n = fill_##name(run, next); \
			if (n == 0) \
				idle(run->pauses); \
			next += n; \
		} \
	} \
	static int consume_zc_##name(void *arg) \
	{ \
		struct run *run = arg; \
		uint64_t errors = 0; \
		__atomic_store_n(&run->ready, true, __ATOMIC_RELEASE); \
		for (uint64_t next = 0; next < run->elements;) { \
			unsigned n = empty_##name(run, next, &errors); \
			if (n == 0) \
				idle(run->pauses); \
			next += n; \
		} \
		run->errors = errors; \
		return 0; \
	} \
	static void both_zc_##name(struct run *run) \
	{ \
		uint64_t errors = 0; \
		for (uint64_t next = 0; next < run->elements;) { \
			unsigned n = fill_##name(run, next); \
			errors += empty_##name(run, next, &errors) != n; \
			next += n; \
		} \
		run->errors = errors; \
	}

BULK(spsc4, uint32_t, sp, sc)
BULK(spsc8, uint64_t, sp, sc)
BULK(mpmc4, uint32_t, mp, mc)
BULK(mpmc8, uint64_t, mp, mc)
BULK(hts4, uint32_t, mp_hts, mc_hts)
BULK(hts8, uint64_t, mp_hts, mc_hts)
BULK(rts4, uint32_t, mp_rts, mc_rts)
BULK(rts8, uint64_t, mp_rts, mc_rts)
ZC(4, uint32_t)
ZC(8, uint64_t)

#endif
