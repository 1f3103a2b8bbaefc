/*
 * The peer of our rings: DPDK's rte_ring, one way, from one pinned core to another.
 *
 * Each line on stdin asks for one measurement, so that the caller can interleave it with its own
 * while rings and pages stay the same:
 *
 *     <spsc|mpmc|hts|rts> <bulk|zc> <element bytes 4|8> <lcores 1|2> <burst 1..256> \
 *       <elements> <ring size> <pauses>
 *
 * It is answered by one line, `ns_per_element=<float> errors=<int>` or `refused=<why>`. End of
 * input ends the program.
 *
 * The producer (main lcore) sends numbers and marks, the consumer (the other lcore, or the same)
 * compares them; see rte_ring_loops.h. `bulk` passes an array, as our rings do; `zc` writes and
 * reads the slots in place (rte_ring_peek_zc.h). A full or empty ring is looked at again after
 * <pauses> pause instructions.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <rte_ring.h>

#include "rte_ring_loops.h"

#define SPSC (RING_F_SP_ENQ | RING_F_SC_DEQ)
#define MPMC 0
#define HTS (RING_F_MP_HTS_ENQ | RING_F_MC_HTS_DEQ)
#define RTS (RING_F_MP_RTS_ENQ | RING_F_MC_RTS_DEQ)

static const struct mode {
	const char *sync, *how;
	unsigned bytes, flags;
	void (*produce)(struct run *);
	lcore_function_t *consume;
	void (*both)(struct run *);
} modes[] = {
#define MODE(sync, how, bytes, flags, name) \
	{ sync, #how, bytes, flags, produce_##how##_##name, consume_##how##_##name, both_##how##_##name }
	MODE("spsc", bulk, 4, SPSC, spsc4),
	MODE("spsc", bulk, 8, SPSC, spsc8),
	MODE("mpmc", bulk, 4, MPMC, mpmc4),
	MODE("mpmc", bulk, 8, MPMC, mpmc8),
	MODE("hts", bulk, 4, HTS, hts4),
	MODE("hts", bulk, 8, HTS, hts8),
	MODE("rts", bulk, 4, RTS, rts4),
	MODE("rts", bulk, 8, RTS, rts8),
	MODE("spsc", zc, 4, SPSC, 4),
	MODE("spsc", zc, 8, SPSC, 8),
	MODE("hts", zc, 4, HTS, 4),
	MODE("hts", zc, 8, HTS, 8),
};

static struct rte_ring *
ring_for(const struct mode *mode, unsigned size)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s%u-%u", mode->sync, mode->bytes, size);
	struct rte_ring *ring = rte_ring_lookup(name);
	return ring ? ring : rte_ring_create_elem(name, mode->bytes, size, SOCKET_ID_ANY, mode->flags);
}

static void
measure(const struct mode *mode, struct run *run, unsigned lcores)
{
	unsigned worker = rte_get_next_lcore(-1, 1, 0);

	if (lcores == 1)
		run->ready = true;
	else if (rte_eal_remote_launch(mode->consume, run, worker) != 0) {
		printf("refused=lcore %u is busy\n", worker);
		return;
	}
	while (!__atomic_load_n(&run->ready, __ATOMIC_ACQUIRE))
		rte_pause();
	uint64_t start = rte_rdtsc_precise();
	(lcores == 1 ? mode->both : mode->produce)(run);
	if (lcores != 1)
		rte_eal_wait_lcore(worker);
	double ns = (rte_rdtsc_precise() - start) * 1e9 / rte_get_tsc_hz();
	printf("ns_per_element=%.4f errors=%" PRIu64 "\n", ns / run->elements, run->errors);
}

static void
answer(const char *line)
{
	char sync[8], how[8];
	unsigned size, bytes, lcores;
	struct run run = { 0 };

	if (sscanf(line, "%7s %7s %u %u %u %" SCNu64 " %u %u", sync, how, &bytes, &lcores, &run.burst,
		   &run.elements, &size, &run.pauses) != 8 ||
	    run.burst < 1 || run.burst > MAX_BURST || run.burst >= size) {
		printf("refused=want <sync> <how> <bytes> <lcores> <1..%u> <elements> <ring size> <pauses>\n",
		       MAX_BURST);
		return;
	}
	for (unsigned i = 0; i < RTE_DIM(modes); i++) {
		if (strcmp(sync, modes[i].sync) != 0 || strcmp(how, modes[i].how) != 0 || bytes != modes[i].bytes)
			continue;
		run.ring = ring_for(&modes[i], size);
		if (run.ring == NULL)
			printf("refused=no ring of %u: %s\n", size, rte_strerror(rte_errno));
		else
			measure(&modes[i], &run, lcores);
		return;
	}
	printf("refused=no mode %s %s with elements of %u bytes\n", sync, how, bytes);
}

int
main(int argc, char **argv)
{
	char line[128];

	if (rte_eal_init(argc, argv) < 0 || rte_lcore_count() != 2) {
		fprintf(stderr, "rte_ring: needs an EAL with two lcores: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		answer(line);
		fflush(stdout);
	}
	return rte_eal_cleanup();
}
