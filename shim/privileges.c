/* Who we are and what we may do. Linux keeps user ids and capabilities per thread, and Deno has
 * started threads of its own before we are asked: so each thread gives up its privileges itself, in
 * a signal handler, as libc's setuid() has them do. libc does so for user ids only. */
#define _GNU_SOURCE
#include "shim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4096, PATIENCE_MS = 5000 };

static uint32_t wanted_uid, wanted_gid;

/* The threads that have given up their privileges, and the error of one that could not. */
static int32_t done[THREADS];
static uint32_t done_count;
static int32_t failure;

/* Limit what programs that we start may get. This needs CAP_SETPCAP; a process without it has
 * nothing that its programs could get. */
static void limit_bounding_set(uint64_t kept) {
  for (int i = 0; i <= CAP_LAST_CAP; i++)
    if ((kept >> i & 1) == 0) prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

int shim_capabilities_keep(uint64_t kept) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2];
  limit_bounding_set(kept);
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -errno;
  if (syscall(SYS_capget, &header, sets) < 0) return -errno;
  for (int i = 0; i < 2; i++) {
    sets[i].permitted &= (uint32_t)(kept >> (32 * i));
    sets[i].effective = sets[i].permitted;
    sets[i].inheritable = 0;
  }
  return syscall(SYS_capset, &header, sets) < 0 ? -errno : 0;
}

/* Raw system calls: libc's would change all threads, and may not be called here. */
static int32_t give_up(void) {
  limit_bounding_set(0); /* while we are still the user that may */
  if (wanted_uid != SHIM_SAME_USER &&
      (syscall(SYS_setgroups, 0, 0) < 0 ||
       syscall(SYS_setresgid, wanted_gid, wanted_gid, wanted_gid) < 0 ||
       syscall(SYS_setresuid, wanted_uid, wanted_uid, wanted_uid) < 0))
    return -errno;
  return shim_capabilities_keep(0);
}

static void on_signal(int number) {
  int saved = errno;
  int32_t result = give_up();
  if (result < 0) __atomic_store_n(&failure, result, __ATOMIC_RELAXED);
  uint32_t at = __atomic_fetch_add(&done_count, 1, __ATOMIC_RELAXED);
  if (at < THREADS) __atomic_store_n(&done[at], (int32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
  errno = saved;
  (void)number;
}

static int is_done(int32_t thread) {
  for (int i = 0; i < THREADS; i++)
    if (__atomic_load_n(&done[i], __ATOMIC_ACQUIRE) == thread) return 1;
  return 0;
}

/* Have a thread give up its privileges: 0 once it has, or has ended. */
static int32_t ask_thread(int32_t thread, int number) {
  static const struct timespec a_little = {0, 200000};
  if (syscall(SYS_tgkill, getpid(), thread, number) < 0) return errno == ESRCH ? 0 : -errno;
  for (int i = 0; i < PATIENCE_MS * 5; i++) {
    if (is_done(thread) || syscall(SYS_tgkill, getpid(), thread, 0) < 0) return 0;
    nanosleep(&a_little, 0);
  }
  return -ETIMEDOUT;
}

/* Give up for good, in every thread of the process: all capabilities, those that programs which we
 * start could get, and our user, unless `uid` is SHIM_SAME_USER. Once per process. */
SHIM_API int32_t shim_privileges_drop(uint32_t uid, uint32_t gid) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK}, before;
  int number = SIGRTMIN + 5;
  DIR *threads = opendir("/proc/self/task");
  if (!threads) return -errno;
  keeper_seal();
  wanted_uid = uid;
  wanted_gid = gid;
  sigfillset(&action.sa_mask);
  sigaction(number, &action, &before);
  int32_t result = 0;
  /* A thread inherits from the thread that starts it: once all that exist have given up, so have
   * those that they start. */
  for (int found = 1; found && result == 0;) {
    struct dirent *entry;
    found = 0;
    rewinddir(threads);
    while (result == 0 && (entry = readdir(threads))) {
      int32_t thread = atoi(entry->d_name);
      if (thread == 0 || is_done(thread)) continue;
      found = 1;
      result = ask_thread(thread, number);
    }
  }
  sigaction(number, &before, 0);
  closedir(threads);
  return result < 0 ? result : failure;
}

/* The calling thread: words 0 user, 1 group, 2..3 effective capabilities. */
SHIM_API int32_t shim_privileges_get(uint32_t *words) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2];
  if (syscall(SYS_capget, &header, sets) < 0) return -errno;
  words[0] = geteuid();
  words[1] = getegid();
  words[2] = sets[0].effective;
  words[3] = sets[1].effective;
  return 0;
}

/* A user's id and its group's, by name. */
SHIM_API int32_t shim_user_find(const char *name, uint32_t *ids) {
  struct passwd *found = getpwnam(name);
  if (!found) return -ENOENT;
  ids[0] = found->pw_uid;
  ids[1] = found->pw_gid;
  return 0;
}

SHIM_API int32_t shim_group_find(const char *name, uint32_t *id) {
  struct group *found = getgrnam(name);
  if (!found) return -ENOENT;
  *id = found->gr_gid;
  return 0;
}

/* Give an open file of any kind to a user and a group (SHIM_SAME_USER: as it is), then a mode to
 * it. */
SHIM_API int32_t shim_fd_give(int32_t fd, uint32_t uid, uint32_t gid, uint32_t mode) {
  char path[32];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (fchownat(fd, "", uid, gid, AT_EMPTY_PATH) < 0 || chmod(path, mode) < 0) return -errno;
  return 0;
}

/* The same by path; of a symbolic link it is refused. */
SHIM_API int32_t shim_path_give(const char *path, uint32_t uid, uint32_t gid, uint32_t mode) {
  int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -errno;
  int32_t result = shim_fd_give(fd, uid, gid, mode);
  close(fd);
  return result;
}

static int32_t tell(const struct stat *status, uint32_t *words) {
  uint64_t device = status->st_dev, inode = status->st_ino;
  words[0] = (uint32_t)device;
  words[1] = (uint32_t)(device >> 32);
  words[2] = (uint32_t)inode;
  words[3] = (uint32_t)(inode >> 32);
  words[4] = status->st_mode;
  words[5] = status->st_uid;
  words[6] = status->st_gid;
  words[7] = (uint32_t)status->st_nlink;
  words[8] = (uint32_t)(status->st_blocks / 8);
  return 0;
}

/* What lies at a path, links not followed: words 0..1 device, 2..3 inode, 4 mode, 5 user, 6 group,
 * 7 names, 8 pages of 4 KiB that it has. */
SHIM_API int32_t shim_path_status(const char *path, uint32_t *words) {
  struct stat status;
  return shim_status(AT_FDCWD, path, &status) < 0 ? -errno : tell(&status, words);
}

/* The same of an open file. */
SHIM_API int32_t shim_fd_status(int32_t fd, uint32_t *words) {
  struct stat status;
  return shim_status(fd, "", &status) < 0 ? -errno : tell(&status, words);
}
