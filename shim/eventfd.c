/* Eventfds: doorbells. All peers that were handed an eventfd share one open file, so each of them
 * may clear its O_NONBLOCK, and fill or empty its counter. Nothing here relies on O_NONBLOCK. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { REQUESTS = 64 };

/* A write to an eventfd has no flag of its own that keeps it from blocking. Asynchronous I/O has
 * another way: the kernel signals an eventfd when a request is complete, and that saturates. Our
 * requests read an empty file, and are complete when io_submit() returns. All threads use one
 * context, made at the start: later the machine may have none left (fs.aio-max-nr). */
static aio_context_t requests;
static int nothing = -1;

__attribute__((constructor)) static void set_up(void) {
  nothing = memfd_create("nothing", MFD_CLOEXEC);
  if (nothing < 0 || syscall(SYS_io_setup, REQUESTS, &requests) < 0) requests = 0;
}

static int submit(int32_t fd) {
  struct iocb request = {.aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = (uint32_t)nothing,
                         .aio_flags = IOCB_FLAG_RESFD, .aio_resfd = (uint32_t)fd};
  struct iocb *list = &request;
  return (int)syscall(SYS_io_submit, requests, 1, &list);
}

/* Take completed requests out of the context, so that there is room for more. */
static void reap(void) {
  struct io_event events[REQUESTS];
  struct timespec at_once = {0, 0};
  syscall(SYS_io_getevents, requests, 0, REQUESTS, events, &at_once);
}

/* Signal without asynchronous I/O: a peer that clears O_NONBLOCK between our calls can block us. */
static int32_t write_one(int32_t fd) {
  uint64_t one = 1;
  struct pollfd polled = {.fd = fd, .events = POLLOUT};
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0) return -errno;
  if (poll(&polled, 1, 0) == 0) return 0; /* full: it is signalled as it is */
  if (!(flags & O_NONBLOCK)) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  return write(fd, &one, sizeof one) < 0 && errno != EAGAIN ? -errno : 0;
}

SHIM_API int32_t shim_eventfd(void) {
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  return fd < 0 ? -errno : fd;
}

/* Signal an eventfd. Never blocks: a counter at its limit stays there. */
SHIM_API int32_t shim_eventfd_signal(int32_t fd) {
  if (!requests) return write_one(fd);
  if (submit(fd) == 1) return 0;
  reap(); /* once in a while there is no room */
  return submit(fd) == 1 ? 0 : write_one(fd);
}

/* How often it was signalled since the last drain (0: not once). Never blocks. */
SHIM_API int32_t shim_eventfd_drain(int32_t fd) {
  uint64_t times;
  struct iovec vector = {&times, sizeof times};
  if (preadv2(fd, &vector, 1, -1, RWF_NOWAIT) < 0) return errno == EAGAIN ? 0 : -errno;
  return times > INT32_MAX ? INT32_MAX : (int32_t)times;
}
