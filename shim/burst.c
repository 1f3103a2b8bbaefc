/* Bursts of frames between a file descriptor and the mbufs that a burst of descriptors names. */
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

/* A map with what is received beside the mbufs, for each frame of a burst. */
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

/* `count` of the receiving calls: frames (16), long mbufs (8), 1 if an offload header comes before
 * each frame (1). The long mbufs' descriptors lie in front of the others. */
#define RX_COUNT(count) ((count) & 0xffff)
#define RX_LONGS(count) ((count) >> 16 & 0xff)
#define RX_HAS_HEADERS(count) ((count) >> 24 & 1)

/* Where a frame goes: its mbuf, what is behind that mbuf's room in a long mbuf, what is behind that
 * one's in the overflow. */
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

/* The vectors of such a frame from `vectors` on; how many. */
static size_t rx_vectors(const struct rx_target *target, uint8_t *overflow, struct iovec *vectors) {
  size_t n = 0;
  vectors[n++] = (struct iovec){target->frame, target->room};
  if (target->behind)
    vectors[n++] = (struct iovec){target->behind + target->room, target->rest - target->room};
  vectors[n++] = (struct iovec){overflow, SHIM_OVERFLOW};
  return n;
}

/* A frame of `length` bytes has come. One that is longer than its mbuf's room is then in the long
 * mbuf from its first byte on. Descriptors came in with their room as length, and leave with the
 * bytes that are in it. */
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

static uint32_t vlan_of(struct msghdr *message) {
  struct cmsghdr *header = CMSG_FIRSTHDR(message);
  struct tpacket_auxdata aux;
  if (!header || header->cmsg_type != PACKET_AUXDATA) return 0;
  memcpy(&aux, CMSG_DATA(header), sizeof aux);
  if (!(aux.tp_status & TP_STATUS_VLAN_VALID)) return 0;
  uint32_t tpid = aux.tp_status & TP_STATUS_VLAN_TPID_VALID ? aux.tp_vlan_tpid : 0x8100;
  return tpid << 16 | aux.tp_vlan_tci;
}

/* Receive frames from an AF_PACKET socket into the mbufs of `frames` that the descriptors from word
 * `word` of the map `burst` on name; meta and overflow go to the map `room`. `count`: see RX_COUNT.
 * Returns how many, 0 if none waits. */
SHIM_API int32_t shim_packet_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word,
                                int32_t room, uint32_t count) {
  uint32_t n = RX_COUNT(count), longs = RX_LONGS(count);
  uint32_t *descriptors = word < 2 * longs ? 0 : shim_descriptors(burst, word, n);
  struct rx_room *own = rx_room_of(room, n);
  struct mmsghdr messages[SHIM_BURST];
  struct iovec vectors[SHIM_BURST][RX_VECTORS];
  struct rx_target targets[SHIM_BURST];
  struct virtio_net_hdr headers[SHIM_BURST];
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))]; }
      controls[SHIM_BURST];
  if (n > SHIM_BURST) return -EINVAL;
  if (!descriptors || !own) return -EFAULT;
  for (uint32_t i = 0; i < n; i++) {
    if (rx_target_of(map_of(frames), descriptors, i, longs, &targets[i]) < 0) return -EFAULT;
    vectors[i][0] = (struct iovec){&headers[i], sizeof headers[i]};
    size_t more = rx_vectors(&targets[i], own->overflow[i], vectors[i] + 1);
    messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors[i], .msg_iovlen = 1 + more,
                                          .msg_control = &controls[i],
                                          .msg_controllen = sizeof controls[i]};
  }
  int received = recvmmsg(fd, messages, n, MSG_DONTWAIT | MSG_TRUNC, 0);
  if (received < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  for (int i = 0; i < received; i++) {
    uint32_t length = messages[i].msg_len - (uint32_t)sizeof headers[i];
    own->meta[i] = meta_of(&headers[i], length, vlan_of(&messages[i].msg_hdr));
    rx_settle(&targets[i], descriptors + 2 * i, longs, length);
  }
  return received;
}

/* What comes before a frame that is sent: 12 bytes for each in a map, of which 10 are sent; zeros,
 * as no offload is asked for; or nothing. */
enum { TX_NO_HEADERS = -1, TX_ZEROS = -2, TX_HEADER = 12 };

static const uint8_t zeros[sizeof(struct virtio_net_hdr)];

/* The headers of `count` frames, or NULL if a map has no room for them. `headers`: one of those
 * above, or a map (16) and the number of the first header there (15). */
static const uint8_t *tx_headers(int32_t headers, uint32_t count) {
  if (headers < 0) return zeros;
  const struct shim_map *m = map_of(headers & 0xffff);
  uint64_t first = (uint32_t)headers >> 16, end = (first + count) * TX_HEADER;
  return end <= m->bytes ? m->base + first * TX_HEADER : 0;
}

/* The vectors of a frame; how many, 0 if it is outside the mbufs. */
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

/* Receive frames from a TAP, as shim_packet_rx does. Without headers their meta are lengths, and
 * the rest is 0. */
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

/*
 * Copy `count` frames into other mbufs: each target descriptor comes in empty and leaves with its
 * frame's length. Returns how many; the first that does not fit ends it.
 *
 * frames: the map of the sources' mbufs (16), of the targets' (16). bursts: likewise of the
 * descriptors; they begin at the words `source` and `target` there.
 */
SHIM_API int32_t shim_frames_copy(uint32_t frames, uint32_t bursts, uint32_t source,
                                  uint32_t target, uint32_t count) {
  const struct shim_map *from = map_of(frames & 0xffff), *to = map_of(frames >> 16);
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
 * The Internet checksum's sum (RFC 1071) of `count` bytes in 16 bits, low bytes at even places of
 * `to`; they are copied to there from byte `from` of another map, unless that is the same place. 0
 * if it is outside the maps. Bulk work: the loop in TypeScript takes several times as long.
 *
 * maps: of the source (16), of the target (16).
 */
SHIM_API uint32_t shim_sum(uint32_t maps, uint32_t from, uint32_t to, uint32_t count) {
  const struct shim_map *source = map_of(maps & 0xffff), *target = map_of(maps >> 16);
  uint64_t total = 0, more[4] = {0}; /* four sums that do not wait for each other */
  uint32_t at = 0;
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
