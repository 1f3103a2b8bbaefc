/*
 * The peer of our rings: DPDK's rte_ring, one way, from one pinned core to another.
 *
 * Each line on stdin asks for one measurement, so that the caller can interleave it with its own while rings and pages
 * stay the same:
 *
 *     <spsc|mpmc|hts> <bulk|burst|zc> <burst 1..256> <elements> <ring size> <pauses>
 *
 * It is answered by one line, `ns_per_element=<float> errors=<int>` or `refused=<why>`. End of input ends the program.
 *
 * The producer (main lcore) writes the numbers 0, 1, 2 ... as 8-byte elements, the size of our descriptors too; the
 * consumer (the other lcore) compares every element with the number that must come next. `bulk` and `burst` pass an
 * array, as our rings do; `zc` writes and reads the slots in place (rte_ring_peek_zc.h). A full or empty ring is looked
 * at again after <pauses> pause instructions.
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

static const struct mode {
	const char *sync, *how;
	unsigned flags;
	void (*produce)(struct run *);
	lcore_function_t *consume;
} modes[] = {
	{ "spsc", "bulk", SPSC, produce_spsc_bulk, consume_spsc_bulk },
	{ "spsc", "zc", SPSC, produce_zc, consume_zc },
	{ "mpmc", "bulk", MPMC, produce_mpmc_bulk, consume_mpmc_bulk },
	{ "hts", "bulk", HTS, produce_hts_bulk, consume_hts_bulk },
	{ "hts", "zc", HTS, produce_zc, consume_zc },
};

static struct rte_ring *
ring_for(const struct mode *mode, unsigned size)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%s-%u", mode->sync, size);
	struct rte_ring *ring = rte_ring_lookup(name);
	return ring ? ring : rte_ring_create(name, size, SOCKET_ID_ANY, mode->flags);
}

static void
measure(const struct mode *mode, struct run *run)
{
	unsigned worker = rte_get_next_lcore(-1, 1, 0);

	if (rte_eal_remote_launch(mode->consume, run, worker) != 0) {
		printf("refused=lcore %u is busy\n", worker);
		return;
	}
	while (!__atomic_load_n(&run->ready, __ATOMIC_ACQUIRE))
		rte_pause();
	uint64_t start = rte_rdtsc_precise();
	mode->produce(run);
	rte_eal_wait_lcore(worker);
	double ns = (rte_rdtsc_precise() - start) * 1e9 / rte_get_tsc_hz();
	printf("ns_per_element=%.4f errors=%" PRIu64 "\n", ns / run->elements, run->errors);
}

static void
answer(const char *line)
{
	char sync[8], how[8];
	unsigned size;
	struct run run = { 0 };

	if (sscanf(line, "%7s %7s %u %" SCNu64 " %u %u", sync, how, &run.burst, &run.elements, &size,
		   &run.pauses) != 6 || run.burst < 1 || run.burst > MAX_BURST || run.burst >= size) {
		printf("refused=want <sync> <how> <1..%u> <elements> <ring size> <pauses>\n", MAX_BURST);
		return;
	}
	for (unsigned i = 0; i < RTE_DIM(modes); i++) {
		if (strcmp(sync, modes[i].sync) != 0 || strcmp(how, modes[i].how) != 0)
			continue;
		run.ring = ring_for(&modes[i], size);
		if (run.ring == NULL)
			printf("refused=no ring of %u: %s\n", size, rte_strerror(rte_errno));
		else
			measure(&modes[i], &run);
		return;
	}
	printf("refused=no mode %s %s\n", sync, how);
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
