/*
 * Another process may truncate a file that we have mapped. An access beyond its new end is SIGBUS,
 * which would end the forwarder. Here the whole map becomes zeros instead, and is marked as lost.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <signal.h>
#include <sys/mman.h>

uint8_t shim_lost[SHIM_MAPS];

static struct sigaction before;
static uint8_t is_watching;

static int lose_map_at(uintptr_t address) {
  int flags = MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS | MAP_NORESERVE;
  for (int i = 0; i < SHIM_MAPS; i++) {
    struct shim_map *map = &shim_maps[i];
    if (!map->base || address - (uintptr_t)map->base >= map->bytes) continue;
    /* Another thread may have faulted at the same time, and done this already. */
    if (__atomic_load_n(&shim_lost[i], __ATOMIC_ACQUIRE)) return 1;
    if (mmap(map->base, map->bytes, PROT_READ | PROT_WRITE, flags, -1, 0) == MAP_FAILED) return 0;
    __atomic_store_n(&shim_lost[i], 1, __ATOMIC_RELEASE);
    return 1;
  }
  return 0;
}

static void on_bus_error(int number, siginfo_t *what, void *context) {
  int saved = errno;
  int is_ours = lose_map_at((uintptr_t)what->si_addr);
  errno = saved;
  if (is_ours) return;
  if (before.sa_flags & SA_SIGINFO) before.sa_sigaction(number, what, context);
  else sigaction(SIGBUS, &before, 0); /* and fault again */
}

/* Called when a file is mapped. Faults in other memory go to the handler that was there before,
 * Rust's. */
void shim_watch_bus_errors(void) {
  struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  if (__atomic_test_and_set(&is_watching, __ATOMIC_ACQ_REL)) return;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &before);
}

/* 1 if a thread touched a part of the map that its file had lost: the map is zeros since. */
SHIM_API int32_t shim_map_is_lost(int32_t map) {
  if (map < 0 || map >= SHIM_MAPS) return -EBADF;
  return __atomic_load_n(&shim_lost[map], __ATOMIC_ACQUIRE);
}
