/*
 * One frame in flight by a DPDK port whose other end swaps addresses:
 * `one_frame EAL-OPTION... -- FRAME_BYTES`.
 *
 * Each line on stdin is a number of frames, at most TIMES_MAX; a tenth of it is sent before,
 * unmeasured. It is answered by `p50=<ns> p99=<ns> p999=<ns>`, or by `lost` if a frame does not
 * come back for a second. A time begins when the frame is written and ends when it is received.
 */
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "path_frames.h"

#define MBUFS 4095
#define CACHE 256
#define SLOTS 1024

static uint64_t cycles[TIMES_MAX];
static struct rte_mempool *pool;
static struct headers headers;
static unsigned frame_bytes;

/* Cycles that a frame takes; 0 if it does not come back. */
static uint64_t
round_trip(uint16_t number)
{
	struct rte_mbuf *frame = rte_pktmbuf_alloc(pool);

	if (frame == NULL)
		return 0;
	frame->data_len = frame->pkt_len = frame_bytes;
	write_headers(rte_pktmbuf_mtod(frame, uint8_t *), &headers, number);
	uint64_t start = rte_rdtsc(), now = start, end = start + rte_get_tsc_hz();
	while (rte_eth_tx_burst(0, 0, &frame, 1) == 0 && rte_rdtsc() < end)
		;
	while (rte_eth_rx_burst(0, 0, &frame, 1) == 0)
		if (rte_rdtsc() > end)
			return 0;
	now = rte_rdtsc();
	bool is_whole = frame->pkt_len == frame_bytes &&
		is_swapped(rte_pktmbuf_mtod(frame, uint8_t *), &headers, number);
	rte_pktmbuf_free(frame);
	return is_whole ? now - start : 0;
}

static void
measure(unsigned count)
{
	unsigned before = count / 10;

	for (unsigned i = 0; i < before + count; i++) {
		uint64_t took = round_trip(i);
		if (took == 0) {
			printf("lost\n");
			return;
		}
		if (i >= before)
			cycles[i - before] = took;
	}
	print_times(cycles, count, 1e9 / rte_get_tsc_hz());
}

static int
start_port(void)
{
	struct rte_eth_conf conf = { 0 };

	return rte_eth_dev_configure(0, 1, 1, &conf) ||
		rte_eth_rx_queue_setup(0, 0, SLOTS, SOCKET_ID_ANY, NULL, pool) ||
		rte_eth_tx_queue_setup(0, 0, SLOTS, SOCKET_ID_ANY, NULL) || rte_eth_dev_start(0);
}

int
main(int argc, char **argv)
{
	unsigned count;
	int used = rte_eal_init(argc, argv);

	if (used < 0 || used + 1 >= argc)
		return fprintf(stderr, "one_frame: needs -- and a length: %s\n", rte_strerror(rte_errno)), 1;
	frame_bytes = atoi(argv[used + 1]);
	headers = headers_of(frame_bytes);
	pool = rte_pktmbuf_pool_create("mbufs", MBUFS, CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL || start_port() != 0)
		return fprintf(stderr, "one_frame: the port does not start: %s\n", rte_strerror(rte_errno)), 1;
	printf("ready\n");
	fflush(stdout);
	while (scanf("%u", &count) == 1 && count <= TIMES_MAX) {
		measure(count);
		fflush(stdout);
	}
	rte_eth_dev_stop(0);
	return rte_eal_cleanup();
}
