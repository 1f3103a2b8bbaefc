/* Copies of frames: in other mbufs, and as records for captures; the Internet checksum. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static const struct shim_map *map_of(uint32_t map) { return &shim_maps[map & (SHIM_MAPS - 1)]; }

/* A ring of records of app/capture/capture_area.ts: a host writes them, a capture reads. */
enum { RECORD_RING = 1 << 23, RECORD_BYTES = 1 << 17, SNAP_BYTES = RECORD_BYTES - 64 };
struct record_ring {
  uint32_t pending, snap; /* where the next record goes, as yet unpublished; bytes of a frame */
  uint32_t rest[62];      /* word 32: up to where records are published */
  uint32_t consumed, more[959];
  uint8_t bytes[RECORD_RING + RECORD_BYTES]; /* a record may begin in it and end behind */
};

/*
 * Copy the first bytes of `count` frames into a ring, each with a pcapng Enhanced Packet Block
 * around it. In C as it is the one copy of bytes that a capture costs the forwarding lcore.
 * Returns how many had room.
 *
 * maps: the map of the mbufs (16), of the descriptors (16), which begin at `word` there. area: the
 * map with the ring, at byte `place`. label: the interface's number (16), epb_flags (16).
 */
SHIM_API int32_t shim_frames_record(uint32_t maps, uint32_t word, uint32_t count, int32_t area,
                                    uint32_t place, uint32_t label) {
  const struct shim_map *frames = map_of(maps);
  const struct shim_map *to = map_of((uint32_t)area);
  const uint32_t *descriptors = shim_descriptors(maps >> 16, word, count);
  uint64_t end = (uint64_t)place + sizeof(struct record_ring);
  if (!descriptors || !to->base || place % 4096 || end > to->bytes) return -EFAULT;
  struct record_ring *ring = (struct record_ring *)(void *)(to->base + place);
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  uint64_t stamp = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  uint32_t at = ring->pending & ~3u, snap = ring->snap < SNAP_BYTES ? ring->snap : SNAP_BYTES, i;
  uint32_t consumed = __atomic_load_n(&ring->consumed, __ATOMIC_ACQUIRE);
  for (i = 0; i < count; i++) {
    const uint8_t *frame = shim_frame(frames, descriptors + 2 * i);
    uint32_t wire = DESCRIPTOR_LENGTH(descriptors[2 * i + 1]);
    uint32_t length = !frame ? 0 : wire < snap ? wire : snap, data = (length + 3) / 4;
    uint32_t bytes = 44 + 4 * data;
    if (at - consumed > RECORD_RING - bytes) break;
    uint32_t *block = (uint32_t *)(void *)(ring->bytes + at % RECORD_RING);
    uint32_t head[] = {6, bytes, label & 0xffff, stamp >> 32, (uint32_t)stamp, length, wire};
    uint32_t options[] = {2 | 4 << 16, label >> 16, 0, bytes};
    memcpy(block, head, sizeof head);
    block[6 + data] = data ? 0 : wire; /* fills up the last word */
    if (length) memcpy(block + 7, frame, length);
    memcpy(block + 7 + data, options, sizeof options);
    at += bytes;
  }
  ring->pending = at;
  return (int32_t)i;
}

/*
 * Copy `count` frames into other mbufs: each target descriptor comes in empty and leaves with its
 * frame's length. Returns how many; the first frame that does not fit ends the call.
 *
 * frames: the map of the sources' mbufs (16), of the targets' (16). bursts: likewise of the
 * descriptors; they begin at the words `source` and `target` there.
 */
SHIM_API int32_t shim_frames_copy(uint32_t frames, uint32_t bursts, uint32_t source,
                                  uint32_t target, uint32_t count) {
  const struct shim_map *from = map_of(frames), *to = map_of(frames >> 16);
  const uint32_t *sources = shim_descriptors(bursts & 0xffff, source, count);
  uint32_t *targets = shim_descriptors(bursts >> 16, target, count);
  if (!sources || !targets) return 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t length = DESCRIPTOR_LENGTH(sources[2 * i + 1]);
    uint32_t descriptor[2] = {targets[2 * i], DESCRIPTOR_OFFSET(targets[2 * i + 1]) | length << 16};
    uint8_t *frame = shim_frame(from, sources + 2 * i);
    uint8_t *room = shim_frame(to, descriptor);
    if (!frame || !room) return (int32_t)i;
    memmove(room, frame, length); /* they may be one mbuf */
    targets[2 * i + 1] = descriptor[1];
  }
  return (int32_t)count;
}

/*
 * The Internet checksum's sum (RFC 1071), 16 bits, of `count` bytes, low ones at even places of
 * `to`. First they are copied from byte `from` of the source, unless that is the same place. 0 if
 * they are outside of the maps. Bulk work: a loop in TypeScript takes several times as long.
 *
 * maps: of the source (16), of the target (16).
 */
SHIM_API uint32_t shim_sum(uint32_t maps, uint32_t from, uint32_t to, uint32_t count) {
  const struct shim_map *source = map_of(maps), *target = map_of(maps >> 16);
  uint64_t total = 0, more[4] = {0}; /* four sums that do not wait for each other */
  uint32_t at = 0;
  if (count == 0) return 0; /* there may be no memory */
  if ((uint64_t)from + count > source->bytes || (uint64_t)to + count > target->bytes) return 0;
  uint8_t *bytes = target->base + to;
  if (bytes != source->base + from) memmove(bytes, source->base + from, count);
  for (uint32_t words[4]; at + sizeof words <= count; at += sizeof words) {
    memcpy(words, bytes + at, sizeof words);
    for (int i = 0; i < 4; i++) more[i] += words[i];
  }
  for (int i = 0; i < 4; i++) total += more[i];
  for (; at < count; at++) total += (uint64_t)bytes[at] << (at & 1) * 8;
  while (total >> 16) total = (total & 0xffff) + (total >> 16);
  return (uint32_t)(to & 1 ? (total >> 8 | total << 8) & 0xffff : total);
}
