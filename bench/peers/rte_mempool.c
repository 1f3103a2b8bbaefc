/*
 * The peer of our mempool: DPDK's rte_mempool, get and put on one pinned core, through the lcore's
 * cache or past it.
 *
 * Each line on stdin asks for one measurement, so that the caller can interleave it with its own
 * while the pool and its pages stay the same:
 *
 *     <burst 1..256> <held> <objects>
 *
 * It is answered by one line, `ns_per_object=<float> errors=<int>` or `refused=<why>`. End of input
 * ends the program.
 *
 * Objects are got in bulks of <burst> until <held> are held, then put back in bulks, until
 * <objects> were got and put; as dpdk-test's mempool_perf_autotest does with its n_keep. In the end
 * all must be free again; bench/mempool_worker.ts does the same with our mbufs.
 */
#include <inttypes.h>
#include <stdio.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mempool.h>

#define MAX_BURST 256
#define MAX_HELD 2048
#define TOTAL 8191
#define CACHE 256

static void *held[MAX_HELD];

static uint64_t
get_and_put(struct rte_mempool *pool, unsigned burst, unsigned hold, uint64_t objects)
{
	uint64_t errors = 0;

	for (uint64_t done = 0; done < objects; done += hold) {
		for (unsigned i = 0; i < hold; i += burst) {
			if (rte_mempool_get_bulk(pool, held + i, burst) != 0)
				return objects;
			errors += held[i] == NULL;
		}
		for (unsigned i = 0; i < hold; i += burst)
			rte_mempool_put_bulk(pool, held + i, burst);
	}
	return errors;
}

static void
answer(struct rte_mempool *pool, const char *line)
{
	unsigned burst, hold;
	uint64_t objects;

	if (sscanf(line, "%u %u %" SCNu64, &burst, &hold, &objects) != 3 || burst < 1 || burst > MAX_BURST ||
	    hold < burst || hold > MAX_HELD || hold % burst != 0 || objects % hold != 0) {
		printf("refused=want <1..%u> <held, a multiple, to %u> <objects, a multiple>\n", MAX_BURST, MAX_HELD);
		return;
	}
	uint64_t start = rte_rdtsc_precise();
	uint64_t errors = get_and_put(pool, burst, hold, objects);
	double ns = (rte_rdtsc_precise() - start) * 1e9 / rte_get_tsc_hz();
	errors += rte_mempool_avail_count(pool) != TOTAL;
	printf("ns_per_object=%.4f errors=%" PRIu64 "\n", ns / objects, errors);
}

int
main(int argc, char **argv)
{
	char line[128];

	if (rte_eal_init(argc, argv) < 0) {
		fprintf(stderr, "rte_mempool: needs an EAL: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	/* Objects of 64 bytes: get and put do not touch them, as ours do not touch mbufs. */
	struct rte_mempool *pool = rte_mempool_create("bench", TOTAL, 64, CACHE, 0, NULL, NULL, NULL, NULL,
						      SOCKET_ID_ANY, 0);
	if (pool == NULL) {
		fprintf(stderr, "rte_mempool: no pool: %s\n", rte_strerror(rte_errno));
		return 1;
	}
	printf("ready\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		answer(pool, line);
		fflush(stdout);
	}
	return rte_eal_cleanup();
}
