/* What receiving and sending bursts has in common for sockets and TAPs. */
#ifndef BURST_H
#define BURST_H

#include "shim.h"

#include <linux/virtio_net.h>
#include <string.h>
#include <sys/uio.h>

/* What the kernel says of a received frame beside its bytes: four words each, in this order. */
struct rx_meta {
  uint32_t length;   /* bytes on the wire, even where the mbuf was too small */
  uint32_t vlan;     /* TPID (16) | TCI (16) of a tag that the kernel took out, or 0 */
  uint32_t offload;  /* segment size (16) | segmentation type (8) | flags (8): virtio_net_hdr */
  uint32_t checksum; /* where to put the checksum, from its start (16) | where it starts (16) */
};

/* Lengths in rx_meta: the frame is lost; no frame came for this descriptor, but one behind it. */
#define RX_LOST UINT32_MAX
#define RX_NONE (UINT32_MAX - 1)

enum { SHIM_OVERFLOW = 1 << 18 };

/* What a map has of each received frame of a burst that is not in the frame's mbuf. */
struct rx_room {
  struct rx_meta meta[SHIM_BURST];
  uint8_t overflow[][SHIM_OVERFLOW]; /* the rest of a frame that is longer than its mbuf's room */
};

static inline const struct shim_map *map_of(int32_t map) {
  return &shim_maps[map & (SHIM_MAPS - 1)];
}

/* Room for the meta and overflow of `count` frames at a map's start, or NULL if there is none. */
static inline struct rx_room *rx_room_of(int32_t map, uint32_t count) {
  const struct shim_map *m = map_of(map);
  uint64_t bytes = sizeof(struct rx_room) + (uint64_t)count * SHIM_OVERFLOW;
  return bytes <= m->bytes ? (struct rx_room *)(void *)m->base : 0;
}

/* The parameter `count` of the functions that receive: frames (16), long mbufs (8), 1 if an offload
 * header comes before each frame (1). Long mbufs' descriptors lie in front of the others. */
#define RX_COUNT(count) ((count) & 0xffff)
#define RX_LONGS(count) ((count) >> 16 & 0xff)
#define RX_HAS_HEADERS(count) ((count) >> 24 & 1)

/* Where a frame goes: its first `room` bytes into its mbuf, those up to `rest` into a long mbuf, if
 * there is one, and all others into the overflow. */
struct rx_target {
  uint8_t *frame, *behind;
  uint32_t room, rest;
};

enum { RX_VECTORS = AIO_VECTORS }; /* header, mbuf, long mbuf, overflow */

/* The target of frame `i`; -1 if it is outside the mbufs. */
static inline int rx_target_of(const struct shim_map *map, const uint32_t *descriptors, uint32_t i,
                               uint32_t longs, struct rx_target *target) {
  const uint32_t *own = descriptors + 2 * i, *more = own - 2 * longs;
  target->frame = shim_frame(map, own);
  target->behind = i < longs ? shim_frame(map, more) : 0;
  if (!target->frame || (i < longs && !target->behind)) return -1;
  target->room = DESCRIPTOR_LENGTH(own[1]);
  target->rest = target->behind ? DESCRIPTOR_LENGTH(more[1]) : 0;
  if (target->rest < target->room) target->behind = 0;
  return 0;
}

/* Write the I/O vectors of a target. Returns how many. */
static inline size_t rx_vectors(const struct rx_target *target, uint8_t *overflow,
                                struct iovec *vectors) {
  size_t n = 0;
  vectors[n++] = (struct iovec){target->frame, target->room};
  if (target->behind)
    vectors[n++] = (struct iovec){target->behind + target->room, target->rest - target->room};
  vectors[n++] = (struct iovec){overflow, SHIM_OVERFLOW};
  return n;
}

/* A frame of `length` bytes was received. If it is longer than its mbuf's room, copy its first
 * bytes too into the long mbuf. A descriptor's length is its room before, and its bytes after. */
static inline void rx_settle(const struct rx_target *target, uint32_t *own, uint32_t longs,
                             uint32_t length) {
  uint32_t *more = own - 2 * longs;
  own[1] = DESCRIPTOR_OFFSET(own[1]) | (length < target->room ? length : target->room) << 16;
  if (!target->behind || length <= target->room) return;
  memcpy(target->behind, target->frame, target->room);
  more[1] = DESCRIPTOR_OFFSET(more[1]) | (length < target->rest ? length : target->rest) << 16;
}

static inline struct rx_meta meta_of(const struct virtio_net_hdr *header, uint32_t length,
                                     uint32_t vlan) {
  return (struct rx_meta){
      .length = length,
      .vlan = vlan,
      .offload = (uint32_t)header->gso_size << 16 | (uint32_t)header->gso_type << 8 | header->flags,
      .checksum = (uint32_t)header->csum_offset << 16 | header->csum_start,
  };
}

/* What is sent before each frame: an offload header from a map, where it has 12 bytes of which 10
 * are sent; zeros, which ask for no offload; or nothing. */
enum { TX_NO_HEADERS = -1, TX_ZEROS = -2, TX_HEADER = 12 };

/* In a descriptor's first word: the kernel has refused the frame. */
#define TX_REFUSED 0x80000000u

static const uint8_t zeros[sizeof(struct virtio_net_hdr)];

/* The headers of `count` frames, or NULL if they reach out of their map. `headers`: one of the two
 * above, or a map (16) and the number of the first header there (15). */
static inline const uint8_t *tx_headers(int32_t headers, uint32_t count) {
  if (headers < 0) return zeros;
  const struct shim_map *m = map_of(headers & 0xffff);
  uint64_t first = (uint32_t)headers >> 16, end = (first + count) * TX_HEADER;
  return end <= m->bytes ? m->base + first * TX_HEADER : 0;
}

/* Write the I/O vectors of a frame. Returns how many, 0 if it is outside of the mbufs. */
static inline size_t tx_vectors(int32_t frames, const uint32_t *descriptor, int32_t headers,
                                const uint8_t *header, struct iovec *vectors) {
  uint8_t *frame = shim_frame(map_of(frames), descriptor);
  size_t n = 0;
  if (!frame) return 0;
  if (headers != TX_NO_HEADERS)
    vectors[n++] = (struct iovec){(void *)(uintptr_t)header, sizeof(struct virtio_net_hdr)};
  vectors[n++] = (struct iovec){frame, DESCRIPTOR_LENGTH(descriptor[1])};
  return n;
}

#endif
