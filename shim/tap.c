/* Receive bursts of frames from a TAP into mbufs, and send them from there. */
#include "burst.h"

#include <errno.h>

/* Frames that are asked for after the first of a burst, which may have been the only one. */
enum { TAP_FEW = 4 };

/* Receive up to `count` (AIO_MAX at most) frames from a TAP for the descriptors from number `from`
 * on, with the results of all. Returns how many of these there are up to the last frame. */
static uint32_t tap_read(int32_t fd, const struct shim_map *map, uint32_t *descriptors,
                         uint32_t from, uint32_t longs, int has_headers, struct rx_room *own,
                         uint32_t count, int32_t *results) {
  struct virtio_net_hdr headers[AIO_MAX] = {0};
  struct iovec vectors[AIO_MAX][AIO_VECTORS];
  struct rx_target targets[AIO_MAX];
  uint8_t lengths[AIO_MAX];
  uint32_t ready = 0, end = 0;
  for (; ready < count; ready++) {
    struct rx_target *target = &targets[ready];
    size_t front = has_headers ? 1 : 0;
    if (rx_target_of(map, descriptors, from + ready, longs, target) < 0) break;
    vectors[ready][0] = (struct iovec){&headers[ready], sizeof headers[ready]};
    front += rx_vectors(target, own->overflow[from + ready], vectors[ready] + front);
    lengths[ready] = (uint8_t)front;
  }
  aio_run(fd, 0, vectors, lengths, ready, results);
  for (uint32_t i = 0; i < ready; i++)
    if (results[i] >= 0) end = i + 1;
  for (uint32_t i = 0; i < end; i++) {
    uint32_t length = (uint32_t)results[i] - (has_headers ? (uint32_t)sizeof headers[i] : 0);
    own->meta[from + i] = meta_of(&headers[i], results[i] < 0 ? RX_NONE : length, 0);
    if (results[i] >= 0) rx_settle(&targets[i], descriptors + 2 * (from + i), longs, length);
  }
  if (ready < count) results[ready] = -EFAULT;
  return end;
}

/* Receive frames from a TAP, as shim_packet_rx does; those that are marked RX_NONE count, too.
 * Without offload headers, rx_meta has lengths only, and zeros. */
SHIM_API int32_t shim_tap_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, int32_t room,
                             uint32_t count) {
  uint32_t n = RX_COUNT(count), longs = RX_LONGS(count), i = 0;
  uint32_t *descriptors = word < 2 * longs ? 0 : shim_descriptors(burst, word, n);
  struct rx_room *own = rx_room_of(room, n);
  int32_t results[AIO_MAX];
  if (n > SHIM_BURST) return -EINVAL;
  if (!descriptors || !own) return -EFAULT;
  while (i < n) {
    uint32_t most = i == 0 ? 1 : i == 1 ? TAP_FEW : AIO_MAX, ask = n - i < most ? n - i : most;
    uint32_t end = tap_read(fd, map_of(frames), descriptors, i, longs, RX_HAS_HEADERS(count), own,
                            ask, results);
    i += end;
    if (end == ask) continue;
    int32_t error = results[end];
    return i || error == -EAGAIN || error == -EINTR ? (int32_t)i : error;
  }
  return (int32_t)i;
}

/* Mark refused frames before the last one that was sent, in their descriptors. Returns how many
 * frames there are up to that one; `error` becomes the first one's errno. */
static uint32_t mark_refused(uint32_t *descriptors, uint32_t count, const int32_t *results,
                             int32_t *error) {
  while (count > 0 && results[count - 1] < 0) count--;
  for (uint32_t i = count; i-- > 0;) {
    if (results[i] >= 0) continue;
    descriptors[2 * i] |= TX_REFUSED;
    *error = -results[i];
  }
  return count;
}

/* Send up to `count` frames to a TAP. Returns as shim_packet_tx does; where frames were refused and
 * later ones sent, the refused ones are among them, marked TX_REFUSED, and their errno is in the
 * 16 highest bits. */
SHIM_API int32_t shim_tap_tx(int32_t fd, int32_t frames, int32_t burst, uint32_t word,
                             uint32_t count, int32_t headers) {
  uint32_t *descriptors = shim_descriptors(burst, word, count);
  const uint8_t *first = tx_headers(headers, count);
  size_t step = headers < 0 ? 0 : TX_HEADER;
  struct iovec vectors[AIO_MAX][AIO_VECTORS];
  uint8_t lengths[AIO_MAX];
  int32_t results[AIO_MAX], error = 0;
  uint32_t done = 0;
  if (count > SHIM_BURST) return -EINVAL;
  if (!descriptors || !first) return -EFAULT;
  while (done < count && error == 0) {
    uint32_t ready = 0, most = count - done < AIO_MAX ? count - done : AIO_MAX;
    for (; ready < most; ready++) {
      uint32_t i = done + ready;
      lengths[ready] = (uint8_t)tx_vectors(frames, descriptors + 2 * i, headers, first + i * step,
                                           vectors[ready]);
      if (lengths[ready] == 0) break;
    }
    if (ready == 0) return done ? (int32_t)done : -EFAULT;
    aio_run(fd, 1, vectors, lengths, ready, results);
    uint32_t sent = mark_refused(descriptors + 2 * done, ready, results, &error);
    if (done + sent == 0) return results[0];
    done += sent;
    if (sent < ready) break;
  }
  return (int32_t)(done | (uint32_t)error << 16);
}
