/* The calling thread: its core, its clock, its sleep. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* struct sched_attr of sched_setattr(2), which the C library does not have. */
struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t slice, deadline, period;
};

/* How the calling thread shares its core. A short `slice`, in nanoseconds, lets it run soon after
 * it was woken (Linux 6.12); `nice`, which is added to its nice level, lowers its share. */
SHIM_API int32_t shim_thread_share(uint32_t slice, int32_t nice) {
  struct attributes found = {0};
  if (syscall(SYS_sched_getattr, 0, &found, sizeof found, 0) < 0) return -errno;
  if (found.policy != SCHED_OTHER) return 0;
  found.slice = slice;
  found.nice += nice;
  return syscall(SYS_sched_setattr, 0, &found, 0) < 0 ? -errno : 0;
}

/* Pin the calling thread to one core. Threads that it starts later inherit this. */
SHIM_API int32_t shim_thread_pin(uint32_t core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (core >= CPU_SETSIZE) return -EINVAL;
  CPU_SET(core, &set);
  return sched_setaffinity(0, sizeof set, &set) < 0 ? -errno : 0;
}

/* 1 if the process may run on this core, else 0. */
SHIM_API int32_t shim_thread_may_run_on(uint32_t core) {
  cpu_set_t set;
  if (core >= CPU_SETSIZE) return 0;
  if (sched_getaffinity(getpid(), sizeof set, &set) < 0) return -errno;
  return CPU_ISSET(core, &set) ? 1 : 0;
}

/* Monotonic nanoseconds; exact to the nanosecond for the first 104 days after boot. */
SHIM_API double shim_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

/*
 * Sleep until one of the descriptors is readable or the time is up. Returns how many are readable.
 */
SHIM_API int32_t shim_poll(const int32_t *fds, uint32_t count, uint32_t microseconds) {
  struct pollfd polled[SHIM_POLL];
  struct timespec limit = {microseconds / 1000000, (microseconds % 1000000) * 1000L};
  if (count > SHIM_POLL) return -EINVAL;
  for (uint32_t i = 0; i < count; i++) polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
  int ready = ppoll(polled, count, &limit, 0);
  return ready < 0 ? (errno == EINTR ? 0 : -errno) : ready;
}

/* poll(2) of any number of descriptors. Deno calls it beside the main thread, which goes on. */
SHIM_API int32_t shim_poll_events(struct pollfd *polled, uint32_t count, int32_t milliseconds) {
  int ready = poll(polled, count, milliseconds);
  return ready < 0 ? (errno == EINTR ? 0 : -errno) : ready;
}
