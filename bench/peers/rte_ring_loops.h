/*
 * The loops of rte_ring.c. `bulk`, as bench/ring_worker.ts does: the first element of each bulk carries its number,
 * the others a mark; the consumer checks the first and the last. What is timed is the ring, not the caller's loops.
 * `zc`: every element is its number, written and compared in the ring's own slots.
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
#define MARK UINT64_C(0x05ea008000000000)

struct run {
	struct rte_ring *ring;
	uint64_t elements;
	uint64_t errors;
	unsigned burst;
	unsigned pauses;
	bool ready;
};

typedef unsigned enqueue_fn(struct rte_ring *, void *const *, unsigned, unsigned *);
typedef unsigned dequeue_fn(struct rte_ring *, void **, unsigned, unsigned *);

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

static __rte_always_inline void
produce(struct run *run, enqueue_fn *enqueue)
{
	void *objects[MAX_BURST];

	for (unsigned i = 0; i < MAX_BURST; i++)
		objects[i] = (void *)(uintptr_t)MARK;
	for (uint64_t next = 0; next < run->elements;) {
		unsigned want = wanted(run, next);
		objects[0] = (void *)(uintptr_t)next;
		while (enqueue(run->ring, objects, want, NULL) == 0)
			idle(run->pauses);
		next += want;
	}
}

static __rte_always_inline void
consume(struct run *run, dequeue_fn *dequeue)
{
	void *objects[MAX_BURST];
	uint64_t errors = 0;

	for (uint64_t next = 0; next < run->elements;) {
		unsigned want = wanted(run, next);
		if (dequeue(run->ring, objects, want, NULL) == 0) {
			idle(run->pauses);
			continue;
		}
		errors += (uintptr_t)objects[0] != next;
		errors += want > 1 && (uintptr_t)objects[want - 1] != MARK;
		next += want;
	}
	run->errors = errors;
}

static void
produce_zc(struct run *run)
{
	struct rte_ring_zc_data slots;

	for (uint64_t next = 0; next < run->elements;) {
		unsigned n = rte_ring_enqueue_zc_bulk_start(run->ring, wanted(run, next), &slots, NULL);
		if (n == 0) {
			idle(run->pauses);
			continue;
		}
		uint64_t *first = slots.ptr1, *wrapped = slots.ptr2;
		unsigned n1 = slots.n1;
		for (unsigned i = 0; i < n1; i++)
			first[i] = next + i;
		for (unsigned i = n1; i < n; i++)
			wrapped[i - n1] = next + i;
		rte_ring_enqueue_zc_finish(run->ring, n);
		next += n;
	}
}

static int
consume_zc(void *arg)
{
	struct run *run = arg;
	struct rte_ring_zc_data slots;
	uint64_t errors = 0;

	__atomic_store_n(&run->ready, true, __ATOMIC_RELEASE);
	for (uint64_t next = 0; next < run->elements;) {
		unsigned n = rte_ring_dequeue_zc_bulk_start(run->ring, wanted(run, next), &slots, NULL);
		if (n == 0) {
			idle(run->pauses);
			continue;
		}
		const uint64_t *first = slots.ptr1, *wrapped = slots.ptr2;
		unsigned n1 = slots.n1;
		for (unsigned i = 0; i < n1; i++)
			errors += first[i] != next + i;
		for (unsigned i = n1; i < n; i++)
			errors += wrapped[i - n1] != next + i;
		rte_ring_dequeue_zc_finish(run->ring, n);
		next += n;
	}
	run->errors = errors;
	return 0;
}

/* A pair of functions per mode, so that rte_ring's inline functions are compiled into the loops. */
#define LOOPS(name, p, c, how) \
	static int consume_##name(void *arg) \
	{ \
		struct run *run = arg; \
		__atomic_store_n(&run->ready, true, __ATOMIC_RELEASE); \
		consume(run, rte_ring_##c##_dequeue_##how); \
		return 0; \
	} \
	static void produce_##name(struct run *run) \
	{ \
		produce(run, rte_ring_##p##_enqueue_##how); \
	}

LOOPS(spsc_bulk, sp, sc, bulk)
LOOPS(mpmc_bulk, mp, mc, bulk)
LOOPS(hts_bulk, mp_hts, mc_hts, bulk)

#endif
