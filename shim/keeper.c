/* The keeper: a small process that keeps the privileges which its forwarder gives up, and uses them
 * for the interfaces, files and servers that were named when it began, and for no others. It opens
 * an interface that was deleted and made again, sets one down that was down before, removes files,
 * and starts a region's server. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fnmatch.h>
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

enum { NAMES = 1 << 18 };
/* How long to wait for an answer: lcores, and a host whose server is gone, less than the 2 s after
 * which guests take a host for dead. If no answer came, lcores do not ask for PAUSE_S. */
enum { PATIENCE_MS = 5000, AGAIN_PATIENCE_MS = 1000, LCORE_PATIENCE_MS = 300, PAUSE_S = 3 };

/* Descriptors of a request: the socket for the answer, where a server reports too; the server's
 * stderr; and the memory for it to serve, unless it makes its own. */
enum { ANSWER, SAID, MEMORY, DESCRIPTORS };

#define BIT(capability) (1ull << (capability))

static const uint64_t FOR_INTERFACES = BIT(CAP_NET_ADMIN) | BIT(CAP_NET_RAW);
static const uint64_t FOR_FILES = BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER);

/* A server reads its program, makes its socket, gives it to --user and --group, becomes that user,
 * and gives up the rest; its own keeper removes the socket in the end. */
static const uint64_t FOR_SERVERS = BIT(CAP_DAC_OVERRIDE) | BIT(CAP_FOWNER) | BIT(CAP_CHOWN) |
                                    BIT(CAP_SETUID) | BIT(CAP_SETGID) | BIT(CAP_SETPCAP);

struct request {
  uint32_t what; /* SHIM_KEEPER_* */
  uint32_t first, second;
  char name[256];
};

union passed {
  struct cmsghdr header;
  char space[CMSG_SPACE(DESCRIPTORS * sizeof(int))];
};

static int keeper = -1; /* our socket to it */
static pid_t keeper_pid;
static int is_sealed; /* no keeper may be started any more */

static void close_all(int *fds) {
  for (int i = 0; i < DESCRIPTORS; i++) {
    if (fds[i] >= 0) close(fds[i]);
    fds[i] = -1;
  }
}

/* Receive a request and its descriptors, fds[ANSWER] at least; -1 once the forwarder is gone. */
static int next_request(int socket, struct request *request, int *fds) {
  union passed control;
  for (;; close_all(fds)) {
    struct iovec vector = {request, sizeof *request};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_LEN(DESCRIPTORS * sizeof(int))}; /* no more */
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    struct cmsghdr *header = received > 0 ? CMSG_FIRSTHDR(&message) : 0;
    memset(fds, -1, DESCRIPTORS * sizeof *fds);
    if (received <= 0) return -1;
    if (header && header->cmsg_type == SCM_RIGHTS)
      memcpy(fds, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
    request->name[sizeof request->name - 1] = 0;
    if (fds[ANSWER] >= 0 && received == sizeof *request) return 0;
  }
}

/* The text behind a list of names, which ends with an empty name. */
static const char *behind(const char *names) {
  for (; *names; names += strlen(names) + 1) continue;
  return names + 1;
}

/* Whether a name is in a list of interfaces, or fits a pattern in it, such as "eth*". */
static int matches(const char *patterns, const char *name) {
  for (; *patterns; patterns += strlen(patterns) + 1)
    if (strcmp(patterns, name) == 0 || fnmatch(patterns, name, 0) == 0) return 1;
  return 0;
}

static int is_known(const char *names, const char *name) {
  for (; *names; names += strlen(names) + 1)
    if (strcmp(names, name) == 0) return 1;
  return 0;
}

/*
 * Start the server of a socket. `servers` has lists of a socket, a folder and words of a command.
 */
static int32_t serve(const char *servers, const struct request *request, const int *fds) {
  struct server_start start = {request->first, request->second, fds[ANSWER], fds[SAID], fds[MEMORY],
                               FOR_SERVERS};
  for (; *servers; servers = behind(servers))
    if (strcmp(servers, request->name) == 0)
      return server_start(servers + strlen(servers) + 1, &start);
  return -EPERM;
}

/* Carry out a request. A descriptor that it opens goes to *opened. */
static int32_t carry_out(const struct request *request, const int *fds, const char *interfaces,
                         int *opened) {
  const char *files = behind(interfaces), *name = request->name;
  if (request->what == SHIM_KEEPER_SERVE) return serve(behind(files), request, fds);
  int known = request->what == SHIM_KEEPER_REMOVE ? is_known(files, name)
                                                 : matches(interfaces, name);
  if (!known) return -EPERM;
  switch (request->what) {
    case SHIM_KEEPER_TAP: *opened = tap_open(name, request->first); return *opened;
    case SHIM_KEEPER_PACKET: *opened = packet_open(name, request->first); return *opened;
    case SHIM_KEEPER_XDP: *opened = xdp_open(); return *opened;
    case SHIM_KEEPER_FLAGS: return interface_flags(name, request->first, request->second);
    case SHIM_KEEPER_MTU: return interface_mtu(name, request->first);
    case SHIM_KEEPER_REMOVE: return unlink(name) < 0 ? -errno : 0;
    default: return -EINVAL;
  }
}

/* The keeper process: a copy of one thread of many, which may make system calls only. */
static void keep(int socket, const char *names, uint64_t capabilities) {
  struct request request;
  int fds[DESCRIPTORS];
  setsid();
  prctl(PR_SET_NAME, "culvert-keeper", 0, 0, 0);
  for (int i = 0; i < SHIM_MAPS; i++) /* a lock lives as long as a mapping of its file */
    if (shim_maps[i].base) munmap(shim_maps[i].base, shim_maps[i].bytes);
  if (dup2(socket, 0) < 0 || syscall(SYS_close_range, 1, ~0u, 0) < 0 ||
      shim_capabilities_keep(capabilities) < 0)
    _exit(1);
  for (; next_request(0, &request, fds) == 0; close_all(fds)) {
    int opened = -1;
    int32_t result = carry_out(&request, fds, names, &opened);
    shim_unix_send(fds[ANSWER], opened >= 0 ? 0 : result, opened);
    if (opened >= 0) close(opened);
  }
  _exit(0);
}

/* Start the keeper. `names` are three lists: interfaces; files; and for each server its socket, its
 * working folder, and the words of its command line. Each name ends with a NUL, each list with an
 * empty name, as does the list of servers. It keeps the capabilities that these need, as far as we
 * have them. */
SHIM_API int32_t shim_keeper_start(const char *names, uint32_t bytes) {
  static char known[NAMES];
  sigset_t all, before;
  int pair[2];
  if (is_sealed) return -EPERM;
  if (keeper >= 0) return -EALREADY;
  if (bytes >= NAMES) return -E2BIG;
  memcpy(known, names, bytes);
  const char *files = behind(known), *servers = behind(files);
  uint64_t kept = (*known ? FOR_INTERFACES : 0) | (*files ? FOR_FILES : 0) |
                  (*servers ? FOR_SERVERS : 0);
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  /* The keeper blocks all signals for good: Ctrl-C is for the forwarder, which ends the keeper. */
  sigfillset(&all);
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

void keeper_seal(void) { is_sealed = 1; }

/* 1 if the keeper has ended, from the first call that finds it so; otherwise 0. */
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

/* Send a request with its descriptors, fds[ANSWER] made here. Returns the answer's socket. */
static int send_request(const struct request *request, int *fds, uint32_t patience_ms) {
  union passed control = {0};
  struct timeval limit = {patience_ms / 1000, patience_ms % 1000 * 1000};
  struct iovec vector = {(void *)request, sizeof *request};
  int pair[2];
  size_t count = ANSWER + 1;
  while (count < DESCRIPTORS && fds[count] >= 0) count++;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return -errno;
  fds[ANSWER] = pair[1];
  control.header = (struct cmsghdr){CMSG_LEN(count * sizeof *fds), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(&control.header), fds, count * sizeof *fds);
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = CMSG_SPACE(count * sizeof *fds)};
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ssize_t sent = sendmsg(keeper, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  close(pair[1]);
  if (sent == sizeof *request) return pair[0];
  close(pair[0]);
  return -EPIPE;
}

/* Ask the keeper, and wait for its answer: a descriptor, or the result; -EPIPE if none comes. */
static int32_t ask(const struct request *request, int *fds, uint32_t patience_ms, int *answer) {
  int64_t value;
  int passed;
  *answer = send_request(request, fds, patience_ms);
  if (*answer < 0) return *answer;
  int32_t received = shim_unix_receive(*answer, &value, &passed, 1);
  if (received < 0) return received == -EMFILE ? received : -EPIPE;
  return passed >= 0 ? passed : (int32_t)value;
}

int32_t keeper_ask(int32_t refused, uint32_t what, const char *name, uint32_t first,
                   uint32_t second) {
  struct request request = {what, first, second, {0}};
  static time_t silent_until; /* until then lcores do not ask */
  int is_lcore = syscall(SYS_gettid) != getpid(), fds[DESCRIPTORS] = {-1, -1, -1}, answer;
  struct timespec now;
  if ((refused != -EPERM && refused != -EACCES) || keeper < 0) return refused;
  if (strlen(name) >= sizeof request.name) return refused;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (is_lcore && now.tv_sec < __atomic_load_n(&silent_until, __ATOMIC_RELAXED)) return refused;
  strcpy(request.name, name);
  int32_t result = ask(&request, fds, is_lcore ? LCORE_PATIENCE_MS : PATIENCE_MS, &answer);
  if (answer >= 0) close(answer);
  if (result != -EPIPE) return result;
  __atomic_store_n(&silent_until, now.tv_sec + PAUSE_S, __ATOMIC_RELAXED);
  return refused;
}

/* Remove a file. */
SHIM_API int32_t shim_path_remove(const char *path) {
  int32_t result = unlink(path) < 0 ? -errno : 0;
  return keeper_ask(result, SHIM_KEEPER_REMOVE, path, 0, 0);
}

/* Have the keeper start the server of a socket. It serves `memory`, and gives peers ids from
 * `first_id` on and `vectors` interrupt vectors; if `memory` is -1, it makes its own. ends[0]
 * becomes the socket on which it reports (a number: shim_unix_receive), ends[1] its stderr, which
 * does not block. */
SHIM_API int32_t shim_keeper_serve(const char *socket, int32_t memory, uint32_t first_id,
                                   uint32_t vectors, int32_t *ends) {
  struct request request = {SHIM_KEEPER_SERVE, first_id, vectors, {0}};
  int said[2];
  if (keeper < 0) return -EPIPE;
  if (strlen(socket) >= sizeof request.name) return -ENAMETOOLONG;
  strcpy(request.name, socket);
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, said) < 0) return -errno;
  int fds[DESCRIPTORS] = {-1, said[1], memory};
  ends[1] = said[0];
  int32_t result = ask(&request, fds, memory < 0 ? PATIENCE_MS : AGAIN_PATIENCE_MS, &ends[0]);
  close(said[1]);
  for (int i = 0; i < 2 && result < 0; i++)
    if (ends[i] >= 0) close(ends[i]);
  return result;
}
