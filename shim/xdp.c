/* AF_XDP and bpf(2): what needs an address or a privilege. See app/linux/xdp_socket.ts, bpf.ts. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_xdp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SEND_BUFFER = 8 << 20 };

/* bpf(2). If `first` is not NULL, its address is put into the attributes at byte `first_at`, a
 * multiple of 8; `second` likewise. */
SHIM_API int32_t shim_bpf(uint32_t command, uint8_t *attributes, uint32_t bytes, uint8_t *first,
                          uint32_t first_at, uint8_t *second, uint32_t second_at) {
  union bpf_attr attr = {0};
  if (bytes > sizeof attr || first_at > sizeof attr - 8 || second_at > sizeof attr - 8)
    return -E2BIG;
  memcpy(&attr, attributes, bytes);
  uint64_t addresses[] = {(uintptr_t)first, (uintptr_t)second};
  if (first) memcpy((uint8_t *)&attr + first_at, &addresses[0], 8);
  if (second) memcpy((uint8_t *)&attr + second_at, &addresses[1], 8);
  long result = syscall(SYS_bpf, command, &attr, sizeof attr);
  return result < 0 ? -errno : (int32_t)result;
}

int32_t xdp_open(void) {
  int room = SEND_BUFFER, fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  return fd;
}

/* An AF_XDP socket for an interface, not yet bound to it. */
SHIM_API int32_t shim_xdp_open(const char *name) {
  return keeper_ask(xdp_open(), SHIM_KEEPER_XDP, name, 0, 0);
}

/* An AF_XDP socket in a network namespace of its own, whose only interface, `lo` (number 1), nobody
 * can remove. If we may not make a namespace, it is in ours. */
SHIM_API int32_t shim_xdp_open_apart(void) {
  int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (here < 0) return -errno;
  int is_apart = unshare(CLONE_NEWNET) == 0;
  int32_t fd = xdp_open();
  if (is_apart && setns(here, CLONE_NEWNET) < 0) abort(); /* else it has no network */
  close(here);
  return fd;
}

/* Tell a socket that its frames lie in a map: chunks of `chunk` bytes, which may begin at any byte
 * if `flags` has XDP_UMEM_UNALIGNED_CHUNK_FLAG. The pages are pinned from now on. */
SHIM_API int32_t shim_xdp_umem(int32_t fd, int32_t map, uint64_t offset, uint64_t bytes,
                               uint32_t chunk, uint32_t flags) {
  const struct shim_map *m = &shim_maps[map & (SHIM_MAPS - 1)];
  if (!m->base || offset > m->bytes || bytes > m->bytes - offset) return -EFAULT;
  struct xdp_umem_reg umem = {.addr = (uintptr_t)m->base + offset, .len = bytes,
                              .chunk_size = chunk, .flags = flags};
  return setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof umem) < 0 ? -errno : 0;
}

/* bind(2) to an address of any family. */
SHIM_API int32_t shim_socket_bind(int32_t fd, const uint8_t *address, uint32_t bytes) {
  return bind(fd, (const struct sockaddr *)address, bytes) < 0 ? -errno : 0;
}

SHIM_API int32_t shim_socket_set(int32_t fd, uint32_t level, uint32_t option, const uint8_t *value,
                                 uint32_t bytes) {
  return setsockopt(fd, (int)level, (int)option, value, bytes) < 0 ? -errno : 0;
}

/* Returns the bytes that were written to `value`, which has room for `bytes`. */
SHIM_API int32_t shim_socket_get(int32_t fd, uint32_t level, uint32_t option, uint8_t *value,
                                 uint32_t bytes) {
  socklen_t length = bytes;
  int result = getsockopt(fd, (int)level, (int)option, value, &length);
  return result < 0 ? -errno : (int32_t)length;
}

/* Have the kernel look at the rings of an AF_XDP socket that does not block: it sends what is in
 * its tx ring. 0 once it has, or -errno. */
SHIM_API int32_t shim_xdp_kick(int32_t fd) {
  return sendto(fd, 0, 0, MSG_DONTWAIT, 0, 0) < 0 ? -errno : 0;
}
