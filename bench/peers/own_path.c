/*
 * Our own memory path in C, the limit of what TypeScript could reach: `own_path FILE FRAME_BYTES`.
 *
 * A host thread on core 0 and a guest thread on core 1 with two rings of descriptors and mbufs in a
 * file, with the same sizes, burst and checks as bench/round_trip.ts: descriptors of 8 bytes,
 * positions that are published once a burst, a ledger that is written for each mbuf that is lent
 * and looked up for each that comes back, a mempool that hands out what came back last.
 *
 * Each line on stdin is the seconds of a sample, answered by `mpps=<float> errors=<int>`; or
 * `frames` and how many, at most TIMES_MAX: single frames are timed, a tenth more before them.
 * That is answered by `p50=<ns> p99=<ns> p999=<ns>`, or by `errors=<int>`. A time begins before
 * the frame is written and ends when it is received and checked.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "path_frames.h"

#define SLOTS 1024
#define MBUFS 4096
#define STRIDE 2368
#define HEADROOM 128
#define LENT 1

struct ring {
	_Alignas(128) uint32_t produced;
	_Alignas(128) uint32_t consumed;
	_Alignas(128) uint64_t slots[SLOTS];
};

struct region {
	struct ring rx, tx;
	_Alignas(4096) uint8_t mbufs[MBUFS * STRIDE];
};

/* One side of a ring: its own position, and what it last saw of the other's. */
struct end {
	struct ring *ring;
	uint32_t own, other;
};

static struct region *region;
static struct sample sample;
static unsigned frame_bytes;

static uint32_t stack[MBUFS];
static unsigned free_mbufs;
static uint8_t ledger[MBUFS];
static uint64_t times[TIMES_MAX];

static inline uint8_t *
frame_of(uint64_t descriptor)
{
	return region->mbufs + (descriptor & 0xffffff) * STRIDE + (descriptor >> 32 & 0xffff);
}

static unsigned
enqueue(struct end *end, const uint64_t *descriptors, unsigned count)
{
	struct ring *ring = end->ring;

	if (SLOTS - (end->own - end->other) < count)
		end->other = __atomic_load_n(&ring->consumed, __ATOMIC_ACQUIRE);
	unsigned room = SLOTS - (end->own - end->other);
	unsigned n = count < room ? count : room;
	for (unsigned i = 0; i < n; i++)
		ring->slots[(end->own + i) % SLOTS] = descriptors[i];
	end->own += n;
	if (n > 0)
		__atomic_store_n(&ring->produced, end->own, __ATOMIC_RELEASE);
	return n;
}

static unsigned
dequeue(struct end *end, uint64_t *descriptors)
{
	struct ring *ring = end->ring;

	if (end->other - end->own < BURST)
		end->other = __atomic_load_n(&ring->produced, __ATOMIC_ACQUIRE);
	unsigned there = end->other - end->own;
	if (there == 0)
		__builtin_prefetch(&ring->slots[end->own % SLOTS]);
	unsigned n = there < BURST ? there : BURST;
	for (unsigned i = 0; i < n; i++)
		descriptors[i] = ring->slots[(end->own + i) % SLOTS];
	end->own += n;
	if (n > 0)
		__atomic_store_n(&ring->consumed, end->own, __ATOMIC_RELEASE);
	return n;
}

static void
prefetch(const uint64_t *descriptors, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(frame_of(descriptors[i]), 1);
}

static void
send(struct end *rx, unsigned most)
{
	uint64_t burst[BURST];
	unsigned n = 0;

	if (sample.sent - sample.back + most > IN_FLIGHT)
		return;
	for (; n < most && free_mbufs > 0; n++)
		burst[n] = stack[--free_mbufs] | (uint64_t)HEADROOM << 32 | (uint64_t)frame_bytes << 48;
	prefetch(burst, n);
	for (unsigned i = 0; i < n; i++)
		write_headers(frame_of(burst[i]), &sample.headers, sample.sent + i);
	for (unsigned i = 0; i < n; i++)
		ledger[burst[i] & 0xffffff] = LENT;
	sample.errors += enqueue(rx, burst, n) != n;
	sample.sent += n;
}

static void
take_back(struct end *tx)
{
	uint64_t burst[BURST];
	unsigned n = dequeue(tx, burst);

	for (unsigned i = 0; i < n; i++) {
		uint32_t index = burst[i] & 0xffffff;
		unsigned offset = burst[i] >> 32 & 0xffff, length = burst[i] >> 48;
		if (index >= MBUFS || ledger[index] != LENT || offset + length > STRIDE || length < 14) {
			sample.errors++;
			continue;
		}
		ledger[index] = 0;
		if (i % CHECK_EVERY == 0)
			sample.errors += !is_swapped(frame_of(burst[i]), &sample.headers, sample.back + i);
		stack[free_mbufs++] = index;
	}
	sample.back += n;
}

static void
pin(unsigned core)
{
	cpu_set_t cores;

	CPU_ZERO(&cores);
	CPU_SET(core, &cores);
	if (pthread_setaffinity_np(pthread_self(), sizeof(cores), &cores) != 0)
		fprintf(stderr, "own_path: cannot pin to core %u\n", core), exit(1);
}

static void *
guest(void *unused)
{
	struct end rx = { &region->rx, 0, 0 }, tx = { &region->tx, 0, 0 };
	uint64_t burst[BURST];

	pin(1);
	while (!__atomic_load_n(&sample.stop, __ATOMIC_ACQUIRE)) {
		unsigned n = dequeue(&rx, burst);
		prefetch(burst, n);
		for (unsigned i = 0; i < n; i++)
			swap_addresses(frame_of(burst[i]));
		for (unsigned sent = 0; sent < n;)
			sent += enqueue(&tx, burst + sent, n - sent);
	}
	return unused;
}

/* Nothing is under way, and there is a guest. */
static pthread_t
begin(double seconds)
{
	pthread_t thread;

	sample = (struct sample){ .headers = headers_of(frame_bytes), .seconds = seconds };
	memset(&region->rx, 0, sizeof(region->rx));
	memset(&region->tx, 0, sizeof(region->tx));
	for (free_mbufs = 0; free_mbufs < MBUFS; free_mbufs++)
		stack[free_mbufs] = free_mbufs, ledger[free_mbufs] = 0;
	if (pthread_create(&thread, NULL, guest, NULL) != 0)
		perror("own_path: thread"), exit(1);
	return thread;
}

static void
end(pthread_t thread)
{
	__atomic_store_n(&sample.stop, true, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	fflush(stdout);
}

static void
measure(double seconds)
{
	struct end rx = { &region->rx, 0, 0 }, tx = { &region->tx, 0, 0 };
	pthread_t thread = begin(seconds);

	RUN_SAMPLE(&sample, (send(&rx, BURST), take_back(&tx)));
	end(thread);
}

static void
time_frames(unsigned count)
{
	struct end rx = { &region->rx, 0, 0 }, tx = { &region->tx, 0, 0 };
	pthread_t thread = begin(0);
	unsigned before = count / 10;

	for (unsigned i = 0; i < before + count; i++) {
		double start = now_ns();
		for (send(&rx, 1); sample.back < sample.sent;)
			take_back(&tx);
		if (i >= before)
			times[i - before] = now_ns() - start;
	}
	if (sample.errors == 0)
		print_times(times, count, 1);
	else
		printf("errors=%" PRIu64 "\n", sample.errors);
	end(thread);
}

int
main(int argc, char **argv)
{
	double seconds;
	unsigned count;
	int fd = argc == 3 ? open(argv[1], O_RDWR) : -1;

	region = mmap(NULL, sizeof(*region), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (fd < 0 || region == MAP_FAILED)
		return fprintf(stderr, "own_path: cannot map %s: %m\n", argc == 3 ? argv[1] : "FILE"), 1;
	frame_bytes = atoi(argv[2]);
	pin(0);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		if (scanf(" frames %u", &count) == 1 && count > 0 && count <= TIMES_MAX)
			time_frames(count);
		else if (scanf("%lf", &seconds) == 1)
			measure(seconds);
		else
			return 0;
	}
}
