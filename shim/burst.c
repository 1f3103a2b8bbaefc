/* Receive bursts of frames from a socket into mbufs, and send them from there. */
#define _GNU_SOURCE
#include "burst.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

/* The ring by which an AF_PACKET socket hands frames over (TPACKET_V2): blocks of slots. Behind the
 * slots of the first block, where the kernel does not write, is the number of the next slot: a
 * thread that takes the socket over goes on there. */
enum { RING_BLOCK = 1 << 16, RING_SLOT = 1984, RING_SLOTS = RING_BLOCK / RING_SLOT };

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

/* Throw away up to `count` waiting frames of a socket or TAP. Returns how many there were. */
SHIM_API int32_t shim_discard(int32_t fd, uint32_t count) {
  uint8_t nowhere[64];
  uint32_t i = 0;
  while (i < count && read(fd, nowhere, sizeof nowhere) >= 0) i++;
  return i || count == 0 || errno == EAGAIN || errno == EINTR ? (int32_t)i : -errno;
}
