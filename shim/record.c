/* Records of frames, for captures. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* A ring of records of app/capture/capture_area.ts: a host writes them, a capture reads. */
enum { RECORD_RING = 1 << 23, RECORD_BYTES = 1 << 17, SNAP_BYTES = RECORD_BYTES - 64 };
struct record_ring {
  uint32_t pending, snap; /* where the next record goes, as yet unpublished; bytes of a frame */
  uint32_t rest[62];      /* word 32: up to where records are published */
  uint32_t consumed, more[959];
  uint8_t bytes[RECORD_RING + RECORD_BYTES]; /* one that begins in the ring may end behind it */
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
  const struct shim_map *frames = &shim_maps[maps & (SHIM_MAPS - 1)];
  const struct shim_map *to = &shim_maps[area & (SHIM_MAPS - 1)];
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
