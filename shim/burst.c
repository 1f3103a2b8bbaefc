/* Receive bursts of frames from a socket or a TAP into mbufs, and send them from there. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* What the kernel says of a received frame beside its bytes: four words each, in this order. */
struct rx_meta {
  uint32_t length;   /* bytes on the wire, even where the mbuf was too small */
  uint32_t vlan;     /* TPID (16) | TCI (16) of a tag that the kernel took out, or 0 */
  uint32_t offload;  /* segment size (16) | segmentation type (8) | flags (8): virtio_net_hdr */
  uint32_t checksum; /* where to put the checksum, from its start (16) | where it starts (16) */
};

enum { SHIM_OVERFLOW = 1 << 18 };

/* What a map has of each received frame of a burst that is not in the frame's mbuf. */
struct rx_room {
  struct rx_meta meta[SHIM_BURST];
  uint8_t overflow[][SHIM_OVERFLOW]; /* the rest of a frame that is longer than its mbuf's room */
};

static const struct shim_map *map_of(int32_t map) { return &shim_maps[map & (SHIM_MAPS - 1)]; }

/* Room for the meta and overflow of `count` frames at a map's start, or NULL if there is none. */
static struct rx_room *rx_room_of(int32_t map, uint32_t count) {
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

enum { RX_VECTORS = 4 }; /* header, mbuf, long mbuf, overflow */

/* The target of frame `i`; -1 if it is outside the mbufs. */
static int rx_target_of(const struct shim_map *map, const uint32_t *descriptors, uint32_t i,
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
static size_t rx_vectors(const struct rx_target *target, uint8_t *overflow, struct iovec *vectors) {
  size_t n = 0;
  vectors[n++] = (struct iovec){target->frame, target->room};
  if (target->behind)
    vectors[n++] = (struct iovec){target->behind + target->room, target->rest - target->room};
  vectors[n++] = (struct iovec){overflow, SHIM_OVERFLOW};
  return n;
}

/* A frame of `length` bytes was received. If it is longer than its mbuf's room, copy its first
 * bytes too into the long mbuf. A descriptor's length is its room before, and its bytes after. */
static void rx_settle(const struct rx_target *target, uint32_t *own, uint32_t longs,
                      uint32_t length) {
  uint32_t *more = own - 2 * longs;
  own[1] = DESCRIPTOR_OFFSET(own[1]) | (length < target->room ? length : target->room) << 16;
  if (!target->behind || length <= target->room) return;
  memcpy(target->behind, target->frame, target->room);
  more[1] = DESCRIPTOR_OFFSET(more[1]) | (length < target->rest ? length : target->rest) << 16;
}

static struct rx_meta meta_of(const struct virtio_net_hdr *header, uint32_t length, uint32_t vlan) {
  return (struct rx_meta){
      .length = length,
      .vlan = vlan,
      .offload = (uint32_t)header->gso_size << 16 | (uint32_t)header->gso_type << 8 | header->flags,
      .checksum = (uint32_t)header->csum_offset << 16 | header->csum_start,
  };
}

/* The ring by which an AF_PACKET socket hands frames over (TPACKET_V2): blocks of slots. Behind the
 * slots of the first block, where the kernel does not write, is the number of the next slot: a
 * thread that takes the socket over goes on there. */
enum { RING_BLOCK = 1 << 16, RING_SLOT = 1984, RING_SLOTS = RING_BLOCK / RING_SLOT };
#define RX_LOST UINT32_MAX

static struct tpacket2_hdr *slot_of(const struct shim_map *ring, uint32_t slot) {
  return (void *)(ring->base + slot / RING_SLOTS * RING_BLOCK + slot % RING_SLOTS * RING_SLOT);
}

static void scatter(const uint8_t *from, uint32_t count, const struct iovec *vectors) {
  for (; count > 0; vectors++) {
    uint32_t n = count < vectors->iov_len ? count : (uint32_t)vectors->iov_len;
    memcpy(vectors->iov_base, from, n);
    from += n;
    count -= n;
  }
}

/* Copy a slot's frame to `vectors`, the first for its header, and return its length. A frame too
 * long for the slot is read from the socket; if that had no room for it, return RX_LOST. */
static uint32_t take(int fd, const struct tpacket2_hdr *slot, struct iovec *vectors, size_t count) {
  const uint8_t *data = (const uint8_t *)slot + slot->tp_mac;
  struct msghdr message = {.msg_iov = vectors, .msg_iovlen = count};
  size_t header = vectors->iov_len;
  if (slot->tp_mac < header || slot->tp_mac + slot->tp_snaplen > RING_SLOT) return RX_LOST;
  if (slot->tp_snaplen == slot->tp_len) {
    scatter(data - header, (uint32_t)header + slot->tp_len, vectors);
    return slot->tp_len;
  }
  if (!(slot->tp_status & TP_STATUS_COPY)) return RX_LOST;
  ssize_t got = recvmsg(fd, &message, MSG_DONTWAIT | MSG_TRUNC);
  return got < (ssize_t)header ? RX_LOST : (uint32_t)got - (uint32_t)header;
}

/* Receive frames from an AF_PACKET socket into mbufs of the map `frames`, whose descriptors begin
 * at word `word` of the map `burst`. `maps`: the map with the rx_room (16), the socket's ring (16).
 * `count`: see RX_COUNT. A long frame without a long mbuf waits for the next call. Returns how many
 * came. */
SHIM_API int32_t shim_packet_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word,
                                int32_t maps, uint32_t count) {
  uint32_t n = RX_COUNT(count), longs = RX_LONGS(count), i;
  uint32_t *descriptors = word < 2 * longs ? 0 : shim_descriptors(burst, word, n);
  struct rx_room *own = rx_room_of(maps & 0xffff, n);
  const struct shim_map *ring = map_of(maps >> 16);
  uint32_t slots = (uint32_t)(ring->bytes / RING_BLOCK) * RING_SLOTS;
  if (n > SHIM_BURST) return -EINVAL;
  if (!descriptors || !own || slots == 0) return -EFAULT;
  uint32_t *next = (void *)(ring->base + RING_SLOTS * RING_SLOT);
  for (i = 0; i < n; i++, *next = (*next + 1) % slots) {
    struct virtio_net_hdr header = {0};
    struct iovec vectors[RX_VECTORS] = {{&header, sizeof header}};
    struct rx_target target;
    struct tpacket2_hdr *slot = slot_of(ring, *next % slots);
    uint32_t status = __atomic_load_n(&slot->tp_status, __ATOMIC_ACQUIRE);
    if (!(status & TP_STATUS_USER)) break;
    if (longs && i >= longs && slot->tp_snaplen < slot->tp_len) break;
    const uint8_t *soon = (void *)slot_of(ring, (*next + 4) % slots); /* another core wrote it */
    for (int line = 0; line < 3; line++) __builtin_prefetch(soon + 64 * line);
    if (rx_target_of(map_of(frames), descriptors, i, longs, &target) < 0)
      return i ? (int32_t)i : -EFAULT;
    size_t more = rx_vectors(&target, own->overflow[i], vectors + 1);
    uint32_t length = take(fd, slot, vectors, 1 + more);
    uint32_t vlan = (uint32_t)slot->tp_vlan_tpid << 16 | slot->tp_vlan_tci;
    own->meta[i] = meta_of(&header, length, status & TP_STATUS_VLAN_VALID ? vlan : 0);
    if (length != RX_LOST) rx_settle(&target, descriptors + 2 * i, longs, length);
    __atomic_store_n(&slot->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
  }
  return (int32_t)i;
}

/* What is sent before each frame: an offload header from a map, where it has 12 bytes of which 10
 * are sent; zeros, which ask for no offload; or nothing. */
enum { TX_NO_HEADERS = -1, TX_ZEROS = -2, TX_HEADER = 12 };

static const uint8_t zeros[sizeof(struct virtio_net_hdr)];

/* The headers of `count` frames, or NULL if they reach out of their map. `headers`: one of the two
 * above, or a map (16) and the number of the first header there (15). */
static const uint8_t *tx_headers(int32_t headers, uint32_t count) {
  if (headers < 0) return zeros;
  const struct shim_map *m = map_of(headers & 0xffff);
  uint64_t first = (uint32_t)headers >> 16, end = (first + count) * TX_HEADER;
  return end <= m->bytes ? m->base + first * TX_HEADER : 0;
}

/* Write the I/O vectors of a frame. Returns how many, 0 if it is outside of the mbufs. */
static size_t tx_vectors(int32_t frames, const uint32_t *descriptor, int32_t headers,
                         const uint8_t *header, struct iovec *vectors) {
  uint8_t *frame = shim_frame(map_of(frames), descriptor);
  size_t n = 0;
  if (!frame) return 0;
  if (headers != TX_NO_HEADERS)
    vectors[n++] = (struct iovec){(void *)(uintptr_t)header, sizeof(struct virtio_net_hdr)};
  vectors[n++] = (struct iovec){frame, DESCRIPTOR_LENGTH(descriptor[1])};
  return n;
}

/* Send up to `count` frames, each behind its header. Returns how many were sent, or -errno if the
 * very first was refused. */
SHIM_API int32_t shim_packet_tx(int32_t fd, int32_t frames, int32_t burst, uint32_t word,
                                uint32_t count, int32_t headers) {
  const uint32_t *descriptors = shim_descriptors(burst, word, count);
  const uint8_t *first = tx_headers(headers, count);
  size_t step = headers < 0 ? 0 : TX_HEADER;
  struct mmsghdr messages[SHIM_BURST];
  struct iovec vectors[SHIM_BURST][2];
  if (count > SHIM_BURST) return -EINVAL;
  if (!descriptors || !first) return -EFAULT;
  for (uint32_t i = 0; i < count; i++) {
    size_t n = tx_vectors(frames, descriptors + 2 * i, headers, first + i * step, vectors[i]);
    if (n == 0) return -EFAULT;
    messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors[i], .msg_iovlen = n};
  }
  int sent = sendmmsg(fd, messages, count, MSG_DONTWAIT);
  return sent < 0 ? -errno : sent;
}

/* Receive frames from a TAP, as shim_packet_rx does. Without offload headers, rx_meta has lengths
 * only, and zeros. */
SHIM_API int32_t shim_tap_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, int32_t room,
                             uint32_t count) {
  uint32_t n = RX_COUNT(count), longs = RX_LONGS(count);
  uint32_t *descriptors = word < 2 * longs ? 0 : shim_descriptors(burst, word, n);
  struct rx_room *own = rx_room_of(room, n);
  uint32_t i;
  if (n > SHIM_BURST) return -EINVAL;
  if (!descriptors || !own) return -EFAULT;
  for (i = 0; i < n; i++) {
    struct virtio_net_hdr header = {0};
    struct iovec vectors[RX_VECTORS] = {{&header, sizeof header}};
    size_t front = RX_HAS_HEADERS(count);
    struct rx_target target;
    if (rx_target_of(map_of(frames), descriptors, i, longs, &target) < 0)
      return i ? (int32_t)i : -EFAULT;
    size_t more = rx_vectors(&target, own->overflow[i], vectors + front);
    ssize_t got = readv(fd, vectors, (int)(front + more));
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (got < 0) return i ? (int32_t)i : -errno;
    uint32_t length = (uint32_t)got - (front ? (uint32_t)sizeof header : 0);
    own->meta[i] = meta_of(&header, length, 0);
    rx_settle(&target, descriptors + 2 * i, longs, length);
  }
  return (int32_t)i;
}

/* Send up to `count` frames to a TAP. Returns as shim_packet_tx does. */
SHIM_API int32_t shim_tap_tx(int32_t fd, int32_t frames, int32_t burst, uint32_t word,
                             uint32_t count, int32_t headers) {
  const uint32_t *descriptors = shim_descriptors(burst, word, count);
  const uint8_t *first = tx_headers(headers, count);
  size_t step = headers < 0 ? 0 : TX_HEADER;
  struct iovec vectors[2];
  if (!descriptors || !first) return -EFAULT;
  for (uint32_t i = 0; i < count; i++) {
    size_t n = tx_vectors(frames, descriptors + 2 * i, headers, first + i * step, vectors);
    if (n == 0 || writev(fd, vectors, (int)n) < 0)
      return i ? (int32_t)i : n ? -errno : -EFAULT;
  }
  return (int32_t)count;
}

/* Throw away up to `count` waiting frames of a socket or TAP. Returns how many there were. */
SHIM_API int32_t shim_discard(int32_t fd, uint32_t count) {
  uint8_t nowhere[64];
  uint32_t i = 0;
  while (i < count && read(fd, nowhere, sizeof nowhere) >= 0) i++;
  return i || count == 0 || errno == EAGAIN || errno == EINTR ? (int32_t)i : -errno;
}
