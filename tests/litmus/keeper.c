/*
 * The keeper, sent more descriptors with a request than it has room for, as a forwarder that was
 * taken over might: `keeper SECONDS`. It must take no notice, and end in order.
 */
#include "litmus.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 8 };

/* One interface, no file, no server. */
static const char DUTIES[] = "none0\0\0\0";

static void send_descriptors(int socket, size_t count) {
  union { struct cmsghdr header; char space[CMSG_SPACE(MOST * sizeof(int))]; } control = {0};
  struct iovec vector = {(void *)"x", 1};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  control.header = (struct cmsghdr){CMSG_LEN(count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memset(CMSG_DATA(&control.header), 0, count * sizeof(int)); /* stdin, so many times */
  if (sendmsg(socket, &message, MSG_NOSIGNAL) != 1) count_wrong(1);
}

int main(int count, char **arguments) {
  if (count != 2) return 2;
  deadline = seconds_now() + atof(arguments[1]);
  uint64_t rounds = 0;
  do {
    int socket = dup(0); /* the lowest number that is free: the keeper's socket gets it next */
    close(socket);
    int32_t keeper = shim_keeper_start(DUTIES, sizeof DUTIES);
    if (keeper < 0) abort();
    for (size_t n = 1; n <= MOST; n++) send_descriptors(socket, n);
    shutdown(socket, SHUT_WR);
    siginfo_t end;
    if (waitid(P_PID, (id_t)keeper, &end, WEXITED | WNOWAIT) != 0 || end.si_status != 0)
      count_wrong(1);
    if (shim_keeper_stop() < 0) count_wrong(1);
    rounds++;
  } while (seconds_now() < deadline);
  return report(rounds);
}
