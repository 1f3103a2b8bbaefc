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

/* Each descriptor comes in with its room as length and leaves with the bytes that are in it. */
static void set_length(uint32_t *descriptor, uint32_t received) {
  uint32_t room = DESCRIPTOR_LENGTH(descriptor[1]);
  descriptor[1] = DESCRIPTOR_OFFSET(descriptor[1]) | (received < room ? received : room) << 16;
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

/* Receive up to `count` frames from an AF_PACKET socket into the mbufs of `frames` that the
 * descriptors from word `word` of the map `burst` on name; meta and overflow go to the map `room`.
 * Returns how many, 0 if none waits. */
SHIM_API int32_t shim_packet_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word,
                                int32_t room, uint32_t count) {
  uint32_t *descriptors = shim_descriptors(burst, word, count);
  struct rx_room *own = rx_room_of(room, count);
  struct mmsghdr messages[SHIM_BURST];
  struct iovec vectors[SHIM_BURST][3];
  struct virtio_net_hdr headers[SHIM_BURST];
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(struct tpacket_auxdata))]; }
      controls[SHIM_BURST];
  if (count > SHIM_BURST) return -EINVAL;
  if (!descriptors || !own) return -EFAULT;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *frame = shim_frame(map_of(frames), descriptors + 2 * i);
    if (!frame) return -EFAULT;
    vectors[i][0] = (struct iovec){&headers[i], sizeof headers[i]};
    vectors[i][1] = (struct iovec){frame, DESCRIPTOR_LENGTH(descriptors[2 * i + 1])};
    vectors[i][2] = (struct iovec){own->overflow[i], SHIM_OVERFLOW};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = vectors[i], .msg_iovlen = 3,
                                          .msg_control = &controls[i],
                                          .msg_controllen = sizeof controls[i]};
  }
  int received = recvmmsg(fd, messages, count, MSG_DONTWAIT | MSG_TRUNC, 0);
  if (received < 0) return errno == EAGAIN || errno == EINTR ? 0 : -errno;
  for (int i = 0; i < received; i++) {
    uint32_t length = messages[i].msg_len - (uint32_t)sizeof headers[i];
    own->meta[i] = (struct rx_meta){
        .length = length,
        .vlan = vlan_of(&messages[i].msg_hdr),
        .offload = (uint32_t)headers[i].gso_size << 16 | (uint32_t)headers[i].gso_type << 8 |
                   headers[i].flags,
        .checksum = (uint32_t)headers[i].csum_offset << 16 | headers[i].csum_start,
    };
    set_length(descriptors + 2 * i, length);
  }
  return received;
}

/*
 * Send up to `count` frames. Returns how many were sent, or -errno if the very first was refused.
 */
SHIM_API int32_t shim_packet_tx(int32_t fd, int32_t frames, int32_t burst, uint32_t word,
                                uint32_t count) {
  const uint32_t *descriptors = shim_descriptors(burst, word, count);
  struct mmsghdr messages[SHIM_BURST];
  struct iovec vectors[SHIM_BURST];
  if (count > SHIM_BURST) return -EINVAL;
  if (!descriptors) return -EFAULT;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *frame = shim_frame(map_of(frames), descriptors + 2 * i);
    if (!frame) return -EFAULT;
    vectors[i] = (struct iovec){frame, DESCRIPTOR_LENGTH(descriptors[2 * i + 1])};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  int sent = sendmmsg(fd, messages, count, MSG_DONTWAIT);
  return sent < 0 ? -errno : sent;
}

/* Receive up to `count` frames from a TAP, as shim_packet_rx does. Their meta are lengths, the rest
 * is 0. */
SHIM_API int32_t shim_tap_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, int32_t room,
                             uint32_t count) {
  uint32_t *descriptors = shim_descriptors(burst, word, count);
  struct rx_room *own = rx_room_of(room, count);
  uint32_t i;
  if (count > SHIM_BURST) return -EINVAL;
  if (!descriptors || !own) return -EFAULT;
  for (i = 0; i < count; i++) {
    uint8_t *frame = shim_frame(map_of(frames), descriptors + 2 * i);
    if (!frame) return i ? (int32_t)i : -EFAULT;
    struct iovec vectors[] = {{frame, DESCRIPTOR_LENGTH(descriptors[2 * i + 1])},
                              {own->overflow[i], SHIM_OVERFLOW}};
    ssize_t length = readv(fd, vectors, 2);
    if (length < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (length < 0) return i ? (int32_t)i : -errno;
    own->meta[i] = (struct rx_meta){.length = (uint32_t)length};
    set_length(descriptors + 2 * i, (uint32_t)length);
  }
  return (int32_t)i;
}

/* Send up to `count` frames to a TAP. Returns as shim_packet_tx does. */
SHIM_API int32_t shim_tap_tx(int32_t fd, int32_t frames, int32_t burst, uint32_t word,
                             uint32_t count) {
  const uint32_t *descriptors = shim_descriptors(burst, word, count);
  if (!descriptors) return -EFAULT;
  for (uint32_t i = 0; i < count; i++) {
    uint8_t *frame = shim_frame(map_of(frames), descriptors + 2 * i);
    if (!frame || write(fd, frame, DESCRIPTOR_LENGTH(descriptors[2 * i + 1])) < 0)
      return i ? (int32_t)i : frame ? -errno : -EFAULT;
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
