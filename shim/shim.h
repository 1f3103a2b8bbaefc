/* The shim: what TypeScript cannot do by itself. No packet logic. A call that the kernel or a check
 * may refuse returns >= 0, or -errno; atomics and hints return what their comments say, or nothing.
 * Memory is named by a map id and a word index or byte offset, never by an address; each access is
 * checked. ffi/symbols.ts carries the prototypes: change one, change SHIM_ABI in both. */
#ifndef CULVERT_SHIM_H
#define CULVERT_SHIM_H

#include <stdint.h>
#include <sys/uio.h>

#define SHIM_ABI 15
#define SHIM_API __attribute__((visibility("default")))

enum { SHIM_MAPS = 2048, SHIM_BURST = 256, SHIM_POLL = 1024 };

/* What shim_packet_open opens: a socket that sends past the queueing discipline, through it, or
 * through it with an offload header before each frame; from SHIM_RECEIVE on, one that receives. */
enum { SHIM_SEND_PAST, SHIM_SEND_VISIBLE, SHIM_SEND_WHOLE, SHIM_RECEIVE };

/* One mapped memory. `cells` describes the mbufs inside it, once shim_map_cells has been called. */
struct shim_map {
  uint8_t *base;
  uint64_t bytes;
  uint64_t cells;   /* byte offset of the first mbuf */
  uint32_t stride;  /* bytes from one mbuf to the next */
  uint32_t count;   /* number of mbufs; 0 = none */
};

extern struct shim_map shim_maps[SHIM_MAPS];

/* A map's long mbufs, which lie behind its other mbufs: each is a run of `cells` cells, and has the
 * index of the first. Not in shim_map, which has 32 bytes. */
struct shim_long {
  uint32_t cells;
  uint32_t count;   /* 0 = none */
};

/* Word 0 of a descriptor: flags (8) | mbuf index (24). Word 1: length (16) | data offset (16). */
#define DESCRIPTOR_INDEX(word0) ((word0) & 0xffffffu)
#define DESCRIPTOR_OFFSET(word1) ((word1) & 0xffffu)
#define DESCRIPTOR_LENGTH(word1) ((word1) >> 16)

/* As shim_frame, for the index of a long mbuf. */
uint8_t *shim_long_frame(const struct shim_map *map, const uint32_t *descriptor);

/* The bytes a descriptor names, or NULL if they lie outside its mbuf. */
static inline uint8_t *shim_frame(const struct shim_map *map, const uint32_t *descriptor) {
  uint32_t index = DESCRIPTOR_INDEX(descriptor[0]);
  uint32_t offset = DESCRIPTOR_OFFSET(descriptor[1]);
  if (index >= map->count) return shim_long_frame(map, descriptor);
  if (offset + DESCRIPTOR_LENGTH(descriptor[1]) > map->stride) return 0;
  return map->base + map->cells + (uint64_t)index * map->stride + offset;
}

/* `count` descriptors from word `word` of a map on, or NULL if they reach out of it. */
static inline uint32_t *shim_descriptors(int32_t map, uint32_t word, uint32_t count) {
  const struct shim_map *m = &shim_maps[map & (SHIM_MAPS - 1)];
  uint64_t end = ((uint64_t)word + 2 * (uint64_t)count) * 4;
  return m->base && end <= m->bytes ? (uint32_t *)(void *)m->base + word : 0;
}

/* What files of the shim use of each other. */
struct stat;

/* lstat(2) of a path from directory `fd` on, or fstat(2) of `fd` if the path is "". By system call:
 * glibc's functions of these names are of version 2.33, and Deno runs on 2.27. */
int shim_status(int fd, const char *path, struct stat *status);

enum { SHIM_SAME_USER = 0xffffffffu };
enum {
  SHIM_KEEPER_TAP,
  SHIM_KEEPER_PACKET,
  SHIM_KEEPER_FLAGS,
  SHIM_KEEPER_MTU,
  SHIM_KEEPER_REMOVE,
  SHIM_KEEPER_SERVE,
  SHIM_KEEPER_XDP,
};

/* 1 if a map's file was cut short. Not in shim_map, which has 32 bytes. */
extern uint8_t shim_lost[SHIM_MAPS];
void shim_watch_bus_errors(void);
/* Keep these capabilities of the calling thread, and let programs that it starts get no others. */
int shim_capabilities_keep(uint64_t kept);
int32_t shim_unix_send(int32_t fd, int64_t value, int32_t passed);
int32_t shim_unix_receive(int32_t fd, int64_t *value, int32_t *passed, uint32_t waits);

/* If something was refused for want of a privilege, have the keeper do it; its answer, or
 * `refused`. */
int32_t keeper_ask(int32_t refused, uint32_t what, const char *name, uint32_t first,
                   uint32_t second);

/* Requests of aio_run() at most, and I/O vectors of each. */
enum { AIO_MAX = 32, AIO_VECTORS = 4 };

void aio_run(int32_t fd, int writes, struct iovec (*vectors)[AIO_VECTORS], const uint8_t *lengths,
             uint32_t count, int32_t *results);

/* From now on no keeper can be started. */
void keeper_seal(void);

/* A server that is to be started. */
struct server_start {
  uint32_t first_id, vectors; /* if there is memory */
  int report, said, memory;   /* descriptors; memory -1: it makes its own */
  uint64_t capabilities;      /* that it begins with */
};

/* Start a program that is nobody's child. `command` is its working folder and its words, an empty
 * one behind the last. */
int32_t server_start(const char *command, const struct server_start *start);

/* These do not ask the keeper. */
int32_t tap_open(const char *name, uint32_t is_multi);
int32_t packet_open(const char *name, uint32_t buffer);
int32_t xdp_open(void);
int32_t interface_flags(const char *name, uint32_t set, uint32_t clear);
int32_t interface_mtu(const char *name, uint32_t mtu);

#endif
