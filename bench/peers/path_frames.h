/*
 * What both C programs of the memory path do to frames, as bench/flow_port.ts and `macswap` do: the
 * host's end writes Ethernet, IPv4 and UDP headers with the right checksum, another destination
 * each time; the guest's end swaps the MAC addresses; every sixteenth frame that comes back is
 * compared. And the clock of a sample, and the times of single frames.
 */
#ifndef PATH_FRAMES_H
#define PATH_FRAMES_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Frames under way at most; frames that are moved at a time; one in so many is checked. */
#define IN_FLIGHT 512
#define BURST 128
#define CHECK_EVERY 16

/* Single frames that are timed at most. */
#define TIMES_MAX 1000000

/* Headers of 42 bytes, and six behind them. */
#define HEADER_BYTES 48

struct headers {
	uint8_t bytes[HEADER_BYTES];
	uint32_t sum;
};

/* One measurement: the host's end counts, until the time has come. */
struct sample {
	struct headers headers;
	double seconds;
	uint64_t sent, back, errors;
	bool stop;
};

static inline double
now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

static inline void
put16(uint8_t *at, unsigned value)
{
	at[0] = value >> 8;
	at[1] = value;
}

static inline struct headers
headers_of(unsigned frame_bytes)
{
	struct headers headers = { .bytes = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45, 0 } };
	uint8_t *bytes = headers.bytes;

	put16(bytes + 16, frame_bytes - 14);
	put16(bytes + 22, 0x4011);
	memcpy(bytes + 26, (uint8_t[]){ 0xc6, 0x12, 0, 1, 0xc6, 0x13, 0, 0, 0, 9, 0, 9 }, 12);
	put16(bytes + 38, frame_bytes - 34);
	for (unsigned at = 14; at < 34; at += 2)
		headers.sum += bytes[at] << 8 | bytes[at + 1];
	headers.sum = (headers.sum & 0xffff) + (headers.sum >> 16);
	return headers;
}

static inline void
write_headers(uint8_t *frame, const struct headers *headers, uint16_t number)
{
	uint32_t sum = headers->sum + number;

	memcpy(frame, headers->bytes, HEADER_BYTES);
	uint16_t checksum = __builtin_bswap16(~((sum & 0xffff) + (sum >> 16)));
	uint16_t low = __builtin_bswap16(number);
	memcpy(frame + 24, &checksum, 2);
	memcpy(frame + 32, &low, 2);
}

static inline void
swap_addresses(uint8_t *frame)
{
	uint64_t destination, source;

	memcpy(&destination, frame, 8);
	memcpy(&source, frame + 6, 8);
	memcpy(frame, &source, 6);
	memcpy(frame + 6, &destination, 6);
}

static inline bool
is_swapped(const uint8_t *frame, const struct headers *headers, uint16_t number)
{
	uint16_t low = __builtin_bswap16(number);

	return memcmp(frame, headers->bytes + 6, 6) == 0 && memcmp(frame + 6, headers->bytes, 6) == 0 &&
	       memcmp(frame + 32, &low, 2) == 0;
}

static inline int
compare_times(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

/* Tell p50, p99 and p99.9 of the times that single frames took, in units of `ns`. */
static inline void
print_times(uint64_t *times, unsigned count, double ns)
{
	qsort(times, count, sizeof(*times), compare_times);
	printf("p50=%.0f p99=%.0f p999=%.0f\n", times[count / 2] * ns, times[count / 100 * 99] * ns,
	       times[count / 1000 * 999] * ns);
}

/* Warm up for a tenth of it, until frames have come back, then count. */
#define RUN_SAMPLE(sample, turn) \
	do { \
		double start = now_ns(), counted = 0; \
		uint64_t before = 0; \
		for (;;) { \
			for (int i = 0; i < 256; i++) \
				turn; \
			double now = now_ns(); \
			if (counted == 0 && now - start > (sample)->seconds * 1e8 && (sample)->back > 0) { \
				counted = now; \
				before = (sample)->back; \
			} else if (counted != 0 && now - counted > (sample)->seconds * 1e9 && \
				   (sample)->back > before) { \
				printf("mpps=%.4f errors=%" PRIu64 "\n", \
				       ((sample)->back - before) / (now - counted) * 1e3, (sample)->errors); \
				break; \
			} \
		} \
	} while (0)

#endif
