/* How the keeper starts a region's server. The keeper is a copy of one thread of many, so that any
 * lock of the C library may be held for ever: system calls only, no malloc. And it is as large as
 * its forwarder: vfork() copies nothing of it. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS = 64, DIGITS = 11 };

/* The server's descriptors, as its command line names them. Others are closed when it begins. */
enum { STDERR = 2, MEMORY = 3, REPORT = 4, FREE = 16 };

/* A number in decimal, at the end of `text`. */
static const char *decimal(uint32_t value, char text[DIGITS]) {
  char *at = text + DIGITS - 1;
  *at = 0;
  do *--at = (char)('0' + value % 10);
  while (value /= 10);
  return at;
}

static int put_all(const struct server_start *start) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  int fds[] = {null, null, start->said, start->memory, start->report};
  for (int i = 0; i <= REPORT; i++) { /* first to free numbers: one may have another's */
    if (i == MEMORY && start->memory < 0) continue;
    if ((fds[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FREE)) < 0) return 0;
  }
  for (int i = 0; i <= REPORT; i++)
    if (fds[i] >= 0 && dup2(fds[i], i) < 0) return 0; /* which the program keeps open */
  return 1;
}

/* Become the server, or end. Signals were blocked; execve() resets the forwarder's handlers. */
static void become(const char *folder, const char **words, const struct server_start *start) {
  uint64_t none = 0;
  if (vfork() != 0) _exit(0); /* the server's parent ends: nobody has to wait for the server */
  setsid();
  if (!put_all(start) || chdir(folder) < 0 || shim_capabilities_keep(start->capabilities) < 0 ||
      syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none) < 0)
    _exit(126);
  execve(words[0], (char *const *)words, environ);
  _exit(127);
}

int32_t server_start(const char *command, const struct server_start *start) {
  const char *folder = command;
  char first_id[DIGITS], vectors[DIGITS];
  const char *words[WORDS + 7]; /* six about the memory, and the end */
  uint32_t count = 0;
  if (*command) command += strlen(command) + 1;
  for (; *command; command += strlen(command) + 1) {
    if (count == WORDS) return -E2BIG;
    words[count++] = command;
  }
  if (count == 0) return -EINVAL;
  if (start->memory >= 0) { /* last, as the last of two options counts */
    const char *more[] = {"--fd", "3", "--first-id", decimal(start->first_id, first_id),
                          "-n", decimal(start->vectors, vectors)};
    memcpy(words + count, more, sizeof more);
    count += sizeof more / sizeof *more;
  }
  words[count] = 0;
  pid_t child = vfork();
  if (child == 0) become(folder, words, start);
  if (child < 0) return -errno;
  return waitpid(child, 0, 0) < 0 ? -errno : 0;
}
