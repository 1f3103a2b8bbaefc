/*
 * The keeper: a small process that keeps what its forwarder has given up, and does a few things for it,
 * to the interfaces and files that were named when it began and to no others. An interface that was
 * deleted and made again is opened so, and one that was down is set down in the end.
 */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long an answer may take: an lcore has guests that take it for dead after 2 s. After an answer that
 * did not come lcores do not ask again for a while. */
enum { NAMES = 1 << 18, PATIENCE_MS = 5000, LCORE_PATIENCE_MS = 300, PAUSE_S = 3 };

struct request {
  uint32_t what; /* SHIM_KEEPER_* */
  uint32_t first, second;
  char name[256];
};

static int keeper = -1; /* our socket to it */
static pid_t keeper_pid;

/* Receive a request, and the socket on which it is to be answered; -1 once the forwarder is gone. */
static int next_request(int socket, struct request *request) {
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
  for (;;) {
    struct iovec vector = {request, sizeof *request};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = received > 0 ? CMSG_FIRSTHDR(&message) : 0;
    int answer = -1;
    if (received <= 0) return -1;
    if (header && header->cmsg_type == SCM_RIGHTS) memcpy(&answer, CMSG_DATA(header), sizeof answer);
    request->name[sizeof request->name - 1] = 0;
    if (answer >= 0 && received == sizeof *request) return answer;
    if (answer >= 0) close(answer);
  }
}

/* Whether a name is in a list that ends with an empty one. */
static int is_known(const char *names, const char *name) {
  for (; *names; names += strlen(names) + 1)
    if (strcmp(names, name) == 0) return 1;
  return 0;
}

/* What follows a list. */
static const char *behind(const char *names) {
  for (; *names; names += strlen(names) + 1) continue;
  return names + 1;
}

static int32_t carry_out(const struct request *request) {
  switch (request->what) {
    case SHIM_KEEPER_TAP: return tap_open(request->name);
    case SHIM_KEEPER_PACKET: return packet_open(request->name, request->first);
    case SHIM_KEEPER_FLAGS: return interface_flags(request->name, request->first, request->second);
    case SHIM_KEEPER_MTU: return interface_mtu(request->name, request->first);
    case SHIM_KEEPER_REMOVE: return unlink(request->name) < 0 ? -errno : 0;
    default: return -EINVAL;
  }
}

/* The keeper's whole life. It began as a copy of one thread of many: system calls only. */
static void keep(int socket, const char *names, uint64_t capabilities) {
  struct request request;
  setsid();
  prctl(PR_SET_NAME, "culvert-keeper", 0, 0, 0);
  for (int i = 0; i < SHIM_MAPS; i++) /* a lock lives as long as a mapping of its file */
    if (shim_maps[i].base) munmap(shim_maps[i].base, shim_maps[i].bytes);
  if (dup2(socket, 0) < 0 || syscall(SYS_close_range, 1, ~0u, 0) < 0 ||
      shim_capabilities_keep(capabilities) < 0)
    _exit(1);
  for (int answer; (answer = next_request(0, &request)) >= 0; close(answer)) {
    const char *known = request.what == SHIM_KEEPER_REMOVE ? behind(names) : names;
    int32_t result = is_known(known, request.name) ? carry_out(&request) : -EPERM;
    int opens = request.what == SHIM_KEEPER_TAP || request.what == SHIM_KEEPER_PACKET;
    int opened = opens && result >= 0;
    shim_unix_send(answer, opened ? 0 : result, opened ? result : -1);
    if (opened) close(result);
  }
  _exit(0);
}

/*
 * Start the keeper, with the capabilities for network interfaces, if we have them, and those for files
 * if it is to remove some. `names` are interfaces, an empty one, files, and an empty one.
 */
SHIM_API int32_t shim_keeper_start(const char *names, uint32_t bytes, uint32_t has_files) {
  static char known[NAMES];
  uint64_t kept = 1ull << CAP_NET_ADMIN | 1ull << CAP_NET_RAW;
  if (has_files) kept |= 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_FOWNER;
  sigset_t all, before;
  int pair[2];
  if (keeper >= 0) return -EALREADY;
  if (bytes >= NAMES) return -E2BIG;
  memcpy(known, names, bytes);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  sigfillset(&all); /* for good in the keeper: a Ctrl-C is meant for the forwarder, which tells it to end */
  sigprocmask(SIG_SETMASK, &all, &before);
  keeper_pid = fork();
  if (keeper_pid == 0) keep(pair[1], known, kept);
  int error = errno;
  sigprocmask(SIG_SETMASK, &before, 0);
  close(pair[1]);
  if (keeper_pid < 0) {
    close(pair[0]);
    return -error;
  }
  keeper = pair[0];
  return keeper_pid;
}

/* 1 if the keeper has ended since it was started, and this was not told before. */
SHIM_API int32_t shim_keeper_has_ended(void) {
  if (keeper_pid <= 0 || waitpid(keeper_pid, 0, WNOHANG) != keeper_pid) return 0;
  keeper_pid = 0;
  return 1;
}

/* Let the keeper end, and wait for that, but not for ever: somebody may have stopped it. */
SHIM_API int32_t shim_keeper_stop(void) {
  static const struct timespec a_little = {0, 1000000};
  if (keeper < 0) return 0;
  close(keeper);
  keeper = -1;
  for (int i = 0; keeper_pid > 0 && i < PATIENCE_MS; i++)
    if (shim_keeper_has_ended() == 0) nanosleep(&a_little, 0);
  return keeper_pid > 0 ? -ETIMEDOUT : 0;
}

int32_t keeper_ask(int32_t refused, uint32_t what, const char *name, uint32_t first, uint32_t second) {
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = {0};
  struct request request = {what, first, second, {0}};
  struct iovec vector = {&request, sizeof request};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = sizeof control.space};
  static time_t silent_until; /* as seen by lcores */
  int is_lcore = gettid() != getpid();
  struct timespec now;
  struct timeval limit = {is_lcore ? 0 : PATIENCE_MS / 1000, is_lcore ? LCORE_PATIENCE_MS * 1000 : 0};
  int pair[2], passed = -1;
  int64_t value;
  if ((refused != -EPERM && refused != -EACCES) || keeper < 0) return refused;
  if (strlen(name) >= sizeof request.name) return refused;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (is_lcore && now.tv_sec < __atomic_load_n(&silent_until, __ATOMIC_RELAXED)) return refused;
  strcpy(request.name, name);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.header), &pair[1], sizeof(int));
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  int is_sent = sendmsg(keeper, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof request;
  close(pair[1]);
  int is_answered = is_sent && shim_unix_receive(pair[0], &value, &passed, 1) == 0;
  close(pair[0]);
  if (!is_answered) __atomic_store_n(&silent_until, now.tv_sec + PAUSE_S, __ATOMIC_RELAXED);
  return !is_answered ? refused : passed >= 0 ? passed : (int32_t)value;
}

/* Remove a file. */
SHIM_API int32_t shim_path_remove(const char *path) {
  int32_t result = unlink(path) < 0 ? -errno : 0;
  return keeper_ask(result, SHIM_KEEPER_REMOVE, path, 0, 0);
}
