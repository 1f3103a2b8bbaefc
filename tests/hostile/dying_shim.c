/*
 * Kills its process at the n-th step: a call of a function of the shim whose effect others can see.
 * It is linked with the shim's own sources, in which `-finstrument-functions` calls it; the shim
 * that is shipped does not contain it.
 *
 * CULVERT_DIE_IN names the process (`host` or `server`: a word of its command line), CULVERT_DIE_AT
 * the step. CULVERT_DIE_COUNT is a file of two words: the steps counted, and whether one has died.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <fcntl.h>
#include <unistd.h>

#define OURS __attribute__((no_instrument_function))

static long die_at; /* 0: never */
static pid_t whose; /* the process whose steps count: a keeper is a copy of its host */
static int own[2];
static int *steps = own; /* and whether somebody has died: once is enough */

/* Looking and waiting are no steps: nobody could tell whether we died before or after. */
static const char *const idle[] = {
    "shim_abi",          "shim_load_acquire", "shim_fenced_load", "shim_full_fence",  "shim_pause",
    "shim_yield",        "shim_clock",        "shim_poll",        "shim_poll_events", "shim_unix_receive",
    "shim_unix_discard", "shim_eventfd_drain", "shim_file_size",  "shim_file_read",   "shim_unix_peer",
    "shim_thread_may_run_on", "shim_interface_get", "shim_map_cells", "shim_path_status",
    "shim_fd_status",    "shim_load_awaited", 0};

OURS static int is_ours(const char *wanted) {
  char line[8192];
  FILE *file = fopen("/proc/self/cmdline", "r");
  size_t length = file ? fread(line, 1, sizeof line - 1, file) : 0;
  int found = 0;
  if (file) fclose(file);
  line[length] = 0;
  for (size_t at = 0; at < length; at += strlen(line + at) + 1)
    found |= strcmp(line + at, wanted) == 0;
  return found;
}

OURS __attribute__((constructor)) static void begin(void) {
  const char *at = getenv("CULVERT_DIE_AT"), *in = getenv("CULVERT_DIE_IN");
  const char *count = getenv("CULVERT_DIE_COUNT");
  if (!at || !in || !is_ours(in)) return;
  int fd = count ? open(count, O_RDWR | O_CLOEXEC) : -1;
  void *counted = fd < 0 ? MAP_FAILED : mmap(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd >= 0) close(fd);
  if (counted != MAP_FAILED) steps = counted;
  steps[0] = 0;
  whose = getpid();
  die_at = atol(at);
}

OURS void __cyg_profile_func_enter(void *function, void *from);
OURS void __cyg_profile_func_exit(void *function, void *from);

void __cyg_profile_func_enter(void *function, void *from) {
  Dl_info info;
  (void)from;
  if (die_at == 0 || getpid() != whose || !dladdr(function, &info) || !info.dli_sname) return;
  /* Not a static function, for which dladdr() names whatever exported one lies before it. */
  if (info.dli_saddr != function || strncmp(info.dli_sname, "shim_", 5) != 0) return;
  for (int i = 0; idle[i]; i++)
    if (strcmp(info.dli_sname, idle[i]) == 0) return;
  if (__atomic_add_fetch(steps, 1, __ATOMIC_RELAXED) != die_at || steps[1]) return;
  steps[1] = 1;
  kill(getpid(), SIGKILL);
}

void __cyg_profile_func_exit(void *function, void *from) {
  (void)function;
  (void)from;
}
