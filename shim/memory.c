/* Maps, memfds and files. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct shim_map shim_maps[SHIM_MAPS];
static struct shim_long longs[SHIM_MAPS];

/* Which maps are taken: several threads may map at once. Numbers are given in turn, so that one
 * that was given back stays free for long: code that still uses it gets an error, not another
 * memory. */
static uint8_t is_taken[SHIM_MAPS];
static uint32_t next_number;

static int32_t take_number(void) {
  for (int tries = 0; tries < SHIM_MAPS; tries++) {
    uint32_t id = __atomic_fetch_add(&next_number, 1, __ATOMIC_RELAXED) % SHIM_MAPS;
    if (!__atomic_test_and_set(&is_taken[id], __ATOMIC_ACQUIRE)) return (int32_t)id;
  }
  return -ENFILE;
}

SHIM_API uint32_t shim_abi(void) { return SHIM_ABI; }

/* Map `bytes` of `fd` from byte `offset` on (or of fresh zeroed memory if fd is -1) over `buffer`,
 * or at a place of the kernel's choice if it is NULL; read-only if the file was opened so. Returns
 * the map id. The buffer must stay alive until the process ends. */
SHIM_API int32_t shim_map(void *buffer, uint64_t bytes, int32_t fd, uint64_t offset) {
  int flags = MAP_SHARED | (buffer ? MAP_FIXED : 0) | (fd < 0 ? MAP_ANONYMOUS : 0);
  int is_read_only = fd >= 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
  int access = PROT_READ | (is_read_only ? 0 : PROT_WRITE);
  void *base = mmap(buffer, bytes, access, flags, fd, (off_t)offset);
  if (base == MAP_FAILED) return -errno;
  int32_t id = take_number();
  if (id < 0 && !buffer) munmap(base, bytes);
  if (id < 0) return id; /* over a buffer the mapping stays: the buffer needs it */
  shim_maps[id].base = base;
  shim_maps[id].bytes = bytes;
  shim_maps[id].count = 0;
  longs[id].count = 0;
  shim_lost[id] = 0;
  if (fd >= 0) shim_watch_bus_errors();
  return id;
}

/*
 * Keep a map's pages on one NUMA node; pages that are elsewhere move there (mbind(2), MPOL_BIND).
 */
SHIM_API int32_t shim_map_bind(int32_t map, uint32_t node) {
  enum { MPOL_BIND = 2, MPOL_MF_STRICT_MOVE = 3 };
  unsigned long mask = 1ul << (node & 63);
  if (map < 0 || map >= SHIM_MAPS || !shim_maps[map].base) return -EBADF;
  if (node > 63) return -EINVAL;
  struct shim_map *m = &shim_maps[map];
  long bound = syscall(SYS_mbind, m->base, m->bytes, MPOL_BIND, &mask, 65, MPOL_MF_STRICT_MOVE);
  return bound < 0 ? -errno : 0;
}

/* Tell where the mbufs lie in a map: `count` cells of `stride` bytes from byte `offset` on. */
SHIM_API int32_t shim_map_cells(int32_t map, uint64_t offset, uint32_t stride, uint32_t count) {
  if (map < 0 || map >= SHIM_MAPS || !shim_maps[map].base) return -EBADF;
  uint64_t bytes = (uint64_t)stride * count;
  if (offset > shim_maps[map].bytes || bytes > shim_maps[map].bytes - offset) return -ERANGE;
  shim_maps[map].cells = offset;
  shim_maps[map].stride = stride;
  shim_maps[map].count = count;
  longs[map].count = 0;
  return 0;
}

/*
 * Tell that behind the mbufs of shim_map_cells there are `count` long ones of `cells` cells each.
 */
SHIM_API int32_t shim_map_long(int32_t map, uint32_t cells, uint32_t count) {
  if (map < 0 || map >= SHIM_MAPS || !shim_maps[map].base) return -EBADF;
  const struct shim_map *m = &shim_maps[map];
  uint64_t more = (uint64_t)cells * count, all = m->count + more;
  if (m->stride == 0 || cells == 0 || more > DESCRIPTOR_INDEX(~0u) ||
      all > (m->bytes - m->cells) / m->stride)
    return -ERANGE;
  longs[map] = (struct shim_long){cells, count};
  return 0;
}

uint8_t *shim_long_frame(const struct shim_map *map, const uint32_t *descriptor) {
  const struct shim_long *of = &longs[map - shim_maps];
  uint32_t index = DESCRIPTOR_INDEX(descriptor[0]), offset = DESCRIPTOR_OFFSET(descriptor[1]);
  uint32_t cell = index - map->count;
  if (of->count == 0 || cell % of->cells || cell / of->cells >= of->count) return 0;
  if (offset + DESCRIPTOR_LENGTH(descriptor[1]) > (uint64_t)of->cells * map->stride) return 0;
  return map->base + map->cells + (uint64_t)index * map->stride + offset;
}

/* Give a map's memory back. The addresses stay reserved (as fresh zeroed memory), for the buffer
 * over which it was mapped still points there. */
SHIM_API int32_t shim_unmap(int32_t map) {
  if (map < 0 || map >= SHIM_MAPS || !shim_maps[map].base) return -EBADF;
  void *base = shim_maps[map].base;
  int flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE;
  void *fresh = mmap(base, shim_maps[map].bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
  if (fresh == MAP_FAILED) return -errno;
  shim_maps[map].bytes = 0;
  shim_maps[map].count = 0;
  longs[map].count = 0;
  shim_maps[map].base = 0;
  __atomic_clear(&is_taken[map], __ATOMIC_RELEASE);
  return 0;
}

/* A memfd of `bytes`, sealed against shrinking and growing, so that no peer can make us fault. */
SHIM_API int32_t shim_memfd(const char *name, uint64_t bytes) {
  int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return -errno;
  if (ftruncate(fd, (off_t)bytes) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
    return fd;
  int error = errno;
  close(fd);
  return -error;
}

/* open(2): access 0 read-only, 1 read-write, 2 read-write and create exclusively with mode 0600;
 * these refuse a symbolic link. 3 read-only, links followed: /proc/self/fd/N opens a descriptor's
 * file again. 4 write-only: much of sysfs can only be written. 5 read-write, links followed:
 * another process's descriptor, /proc/PID/fd/N. */
SHIM_API int32_t shim_file_open(const char *path, uint32_t access) {
  static const int flags[] = {O_RDONLY | O_NOFOLLOW, O_RDWR | O_NOFOLLOW,
                              O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, O_RDONLY, O_WRONLY, O_RDWR};
  if (access > 5) return -EINVAL;
  int fd = open(path, flags[access] | O_CLOEXEC, 0600);
  return fd < 0 ? -errno : fd;
}

SHIM_API int32_t shim_file_read(int32_t fd, uint8_t *bytes, uint32_t count) {
  ssize_t n = read(fd, bytes, count);
  return n < 0 ? -errno : (int32_t)n;
}

/* Write at a byte offset, as a PCI device's files want it; at UINT32_MAX, after the last write. */
SHIM_API int32_t shim_file_write(int32_t fd, const uint8_t *bytes, uint32_t count,
                                 uint32_t offset) {
  ssize_t n = offset == UINT32_MAX ? write(fd, bytes, count) : pwrite(fd, bytes, count, offset);
  return n < 0 ? -errno : (int32_t)n;
}

/*
 * ioctl(2): `argument` is what the request takes, by address, or NULL if it takes `value` itself.
 */
SHIM_API int32_t shim_ioctl(int32_t fd, uint32_t request, uint8_t *argument, uint32_t value) {
  int result = ioctl(fd, request, argument ? (uintptr_t)argument : value);
  return result < 0 ? -errno : result;
}

int shim_status(int fd, const char *path, struct stat *status) {
  int flags = *path ? AT_SYMLINK_NOFOLLOW : AT_EMPTY_PATH;
  return (int)syscall(SYS_newfstatat, fd, path, status, flags);
}

/* The size in bytes, or -errno: EINVAL for what is no file. */
SHIM_API int64_t shim_file_size(int32_t fd) {
  struct stat status;
  if (shim_status(fd, "", &status) < 0) return -errno;
  return S_ISREG(status.st_mode) ? (int64_t)status.st_size : -EINVAL;
}

/* Give a file its size, and memory for all of it: what is missing now would be SIGBUS later. */
SHIM_API int32_t shim_file_resize(int32_t fd, uint64_t bytes) {
  return fallocate(fd, 0, 0, (off_t)bytes) < 0 || ftruncate(fd, (off_t)bytes) < 0 ? -errno : 0;
}

/*
 * An exclusive lock that the kernel drops when the process ends, or -EWOULDBLOCK if another has it.
 */
SHIM_API int32_t shim_file_lock(int32_t fd) {
  return flock(fd, LOCK_EX | LOCK_NB) < 0 ? -errno : 0;
}

/* 1 if nobody else, in any namespace, has the file of `fd` open or mapped; 0 if somebody has. If
 * `fd` is for reading alone, those that only read do not count. The kernel gives a lease on this
 * very condition. We return it at once: an open(2) in between waits for that, and we get a signal
 * that is ignored. The kernel does not count what memfd_create() opened: open it again
 * (/proc/self/fd/N). */
SHIM_API int32_t shim_file_is_alone(int32_t fd) {
  int access = fcntl(fd, F_GETFL);
  if (access < 0 || fcntl(fd, F_SETSIG, SIGURG) < 0) return -errno;
  int lease = (access & O_ACCMODE) == O_RDONLY ? F_RDLCK : F_WRLCK;
  if (fcntl(fd, F_SETLEASE, lease) < 0) return errno == EAGAIN ? 0 : -errno;
  return fcntl(fd, F_SETLEASE, F_UNLCK) < 0 ? -errno : 1;
}

/*
 * Let descriptor `to` name what `from` names, at once for all threads that use the number (dup3).
 */
SHIM_API int32_t shim_fd_copy(int32_t from, int32_t to) {
  return dup3(from, to, O_CLOEXEC) < 0 ? -errno : 0;
}

/* 1 if two descriptors are of one file, 0 if not. */
SHIM_API int32_t shim_fd_same(int32_t a, int32_t b) {
  struct stat one, other;
  if (shim_status(a, "", &one) < 0 || shim_status(b, "", &other) < 0) return -errno;
  return one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

SHIM_API int32_t shim_fd_close(int32_t fd) { return close(fd) < 0 ? -errno : 0; }
