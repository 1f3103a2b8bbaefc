/* Random arguments for hostile.c: mostly such as a caller may have, else odd ones. */
#include "litmus.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

static uint64_t state;

static uint32_t any(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33) << 1 | (uint32_t)(state >> 20 & 1);
}

static uint32_t below(uint32_t limit) { return any() % limit; }

/* A number at the edges of what is possible, or any. */
static uint64_t odd_number(void) {
  static const uint64_t edges[] = {
      0,    1,    2,     3,     63,        64,          65,         255,        256,       257,
      4095, 4096, 65535, 65536, INT32_MAX, 0x80000000u, UINT32_MAX, 1ull << 62, INT64_MAX,
      UINT64_MAX,
  };
  uint64_t edge = edges[below(sizeof edges / sizeof *edges)];
  return below(3) ? edge : below(2) ? edge - below(5) : any();
}

/* Descriptors of files that this program opened itself. */
enum { FILES = 24 };
static int files[FILES];

static void keep(int fd) {
  if (fd < 0) return;
  int *place = &files[below(FILES)];
  if (*place >= 0) close(*place);
  *place = fd;
}

static void keep_pair(int type) {
  int pair[2];
  if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0) return;
  keep(pair[0]);
  keep(pair[1]);
}

/* One of ours, or one that nobody has. */
static int some_file(void) {
  if (below(8)) return files[below(FILES)];
  return below(2) ? 1000 + (int)below(1 << 20) : -(int)below(1u << 31);
}

/* Maps that this program made itself. */
enum { MAPS = 12 };
static int32_t maps[MAPS];

/* Give a map back, and the addresses, which stay reserved otherwise. */
static void unmap(int32_t id) {
  struct shim_map was = {0};
  if (id >= 0 && id < SHIM_MAPS) was = shim_maps[id];
  if (shim_unmap(id) == 0) munmap(was.base, was.bytes);
}

static void keep_map(int32_t id) {
  int32_t *place = &maps[below(MAPS)];
  if (*place >= 0) unmap(*place);
  *place = id;
}

/* Map a file of ours, or memory. */
static void map_something(void) {
  int fd = below(2) ? -1 : some_file();
  uint64_t size = below(4) ? 4096ull * (1 + below(64)) : odd_number();
  uint64_t offset = below(4) ? 0 : odd_number();
  if (fd < 0 && size > 1 << 24) size = 1ull << 62; /* no more memory than that */
  int64_t there = fd < 0 ? INT64_MAX : shim_file_size(fd);
  int32_t id = shim_map(0, size, fd, offset);
  if (id < 0) return;
  int is_short = there < 0 || size > (uint64_t)there || offset > (uint64_t)there - size;
  int is_read_only = fd >= 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY;
  if (is_short || is_read_only) {
    unmap(id);
    return;
  }
  if (below(2)) shim_map_cells(id, 0, 2368, (uint32_t)(size / 2368));
  keep_map(id);
}

/* One of ours, or any. */
static int32_t some_map(void) { return below(4) ? maps[below(MAPS)] : (int32_t)odd_number(); }

static const char *some_path(void) {
  static char name[301];
  static const char *const names[] = {"a", "b",      "c",  "link", "",   ".",
                                      "/", "none/a", "lo", "zz0",  "zz1"};
  if (below(6)) return names[below(sizeof names / sizeof *names)];
  uint32_t length = below(2) ? 100 + below(16) : below(sizeof name - 1);
  for (uint32_t i = 0; i < length; i++) name[i] = (char)('a' + below(26));
  name[length] = 0;
  return name;
}
