/*
 * The memory path on libdpdk: two SP/SC rte_rings with mbuf pointers between two lcores, an
 * rte_mempool on the host's; `rte_path EAL-OPTION... -- FRAME_BYTES`. The guest prefetches the
 * mbufs of a whole burst, then their frames: without that it is half as fast.
 *
 * Each line on stdin is the seconds of a sample; it is answered by `mpps=<float> errors=<int>`.
 */
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "path_frames.h"

#define SLOTS 1024
#define MBUFS 4095
#define CACHE 256

static struct rte_ring *rx, *tx;
static struct rte_mempool *pool;
static struct sample sample;
static unsigned frame_bytes;

static void
send(void)
{
	struct rte_mbuf *burst[BURST];

	if (sample.sent - sample.back + BURST > IN_FLIGHT ||
	    rte_pktmbuf_alloc_bulk(pool, burst, BURST) != 0)
		return;
	for (unsigned i = 0; i < BURST; i++)
		rte_prefetch0_write(rte_pktmbuf_mtod(burst[i], void *));
	for (unsigned i = 0; i < BURST; i++) {
		burst[i]->data_len = burst[i]->pkt_len = frame_bytes;
		write_headers(rte_pktmbuf_mtod(burst[i], uint8_t *), &sample.headers, sample.sent + i);
	}
	sample.errors += rte_ring_sp_enqueue_burst(rx, (void **)burst, BURST, NULL) != BURST;
	sample.sent += BURST;
}

static void
take_back(void)
{
	struct rte_mbuf *burst[BURST];
	unsigned n = rte_ring_sc_dequeue_burst(tx, (void **)burst, BURST, NULL);

	for (unsigned i = 0; i < n; i += CHECK_EVERY)
		sample.errors += burst[i]->data_len != frame_bytes ||
			!is_swapped(rte_pktmbuf_mtod(burst[i], uint8_t *), &sample.headers, sample.back + i);
	if (n > 0)
		rte_pktmbuf_free_bulk(burst, n);
	sample.back += n;
}

static int
guest(void *unused)
{
	struct rte_mbuf *burst[BURST];

	(void)unused;
	while (!__atomic_load_n(&sample.stop, __ATOMIC_ACQUIRE)) {
		unsigned n = rte_ring_sc_dequeue_burst(rx, (void **)burst, BURST, NULL);
		for (unsigned i = 0; i < n; i++)
			rte_prefetch0(burst[i]);
		for (unsigned i = 0; i < n; i++)
			rte_prefetch0_write(rte_pktmbuf_mtod(burst[i], void *));
		for (unsigned i = 0; i < n; i++)
			swap_addresses(rte_pktmbuf_mtod(burst[i], uint8_t *));
		for (unsigned sent = 0; sent < n;)
			sent += rte_ring_sp_enqueue_burst(tx, (void **)burst + sent, n - sent, NULL);
	}
	return 0;
}

static void
measure(double seconds)
{
	struct rte_mbuf *left;
	unsigned worker = rte_get_next_lcore(-1, 1, 0);

	sample = (struct sample){ .headers = headers_of(frame_bytes), .seconds = seconds };
	rte_eal_remote_launch(guest, NULL, worker);
	RUN_SAMPLE(&sample, (send(), take_back()));
	__atomic_store_n(&sample.stop, true, __ATOMIC_RELEASE);
	rte_eal_wait_lcore(worker);
	while (rte_ring_sc_dequeue(rx, (void **)&left) == 0 ||
	       rte_ring_sc_dequeue(tx, (void **)&left) == 0)
		rte_pktmbuf_free(left);
}

int
main(int argc, char **argv)
{
	double seconds;
	int used = rte_eal_init(argc, argv);

	if (used < 0 || rte_lcore_count() != 2 || used + 1 >= argc)
		return fprintf(stderr, "rte_path: needs two lcores, -- and a length: %s\n",
			       rte_strerror(rte_errno)), 1;
	frame_bytes = atoi(argv[used + 1]);
	pool = rte_pktmbuf_pool_create("mbufs", MBUFS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	rx = rte_ring_create("rx", SLOTS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	tx = rte_ring_create("tx", SLOTS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
	if (pool == NULL || rx == NULL || tx == NULL)
		return fprintf(stderr, "rte_path: no memory: %s\n", rte_strerror(rte_errno)), 1;
	printf("ready\n");
	fflush(stdout);
	while (scanf("%lf", &seconds) == 1) {
		measure(seconds);
		fflush(stdout);
	}
	return rte_eal_cleanup();
}
