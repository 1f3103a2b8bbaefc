/* UNIX sockets whose messages are a 64-bit number and perhaps a descriptor, as QEMU's
 * ivshmem-server. */
#define _GNU_SOURCE
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int open_socket(const char *path, struct sockaddr_un *address, int kind) {
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address->sun_path) return -ENAMETOOLONG;
  strcpy(address->sun_path, path);
  int fd = socket(AF_UNIX, kind | SOCK_CLOEXEC, 0);
  return fd < 0 ? -errno : fd;
}

static int32_t listen_at(const char *path, int kind) {
  struct sockaddr_un address;
  int fd = open_socket(path, &address, kind);
  if (fd < 0) return fd;
  /* The mode of the socket itself becomes the mode of its path, so it is never open to others. */
  if (fchmod(fd, 0600) == 0 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0 &&
      bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 64) == 0)
    return fd;
  int error = errno;
  close(fd);
  return -error;
}

/* Listen at `path`, mode 0600, without blocking in accept. */
SHIM_API int32_t shim_unix_listen(const char *path) { return listen_at(path, SOCK_STREAM); }

/* The same for packets: each is read and written whole, as in DPDK's telemetry. */
SHIM_API int32_t shim_unix_listen_packets(const char *path) {
  return listen_at(path, SOCK_SEQPACKET);
}

/* Accept a connection; -EAGAIN if none waits. Its send buffer has `buffer` bytes, but room for some
 * six messages at least; 0: the kernel's default. */
SHIM_API int32_t shim_unix_accept(int32_t listener, uint32_t buffer) {
  int fd = accept4(listener, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd >= 0 && buffer > 0) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer);
  return fd < 0 ? -errno : fd;
}

static int32_t connect_to(const char *path, uint32_t milliseconds, int kind) {
  struct sockaddr_un address;
  struct timeval limit = {milliseconds / 1000, (milliseconds % 1000) * 1000L};
  int fd = open_socket(path, &address, kind);
  if (fd < 0) return fd;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
      setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
      connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  int error = errno;
  close(fd);
  return -error;
}

/* Let a message carry a descriptor; `control` has room for it. */
static void pass(struct msghdr *message, struct cmsghdr *control, int32_t fd) {
  *control = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
  memcpy(CMSG_DATA(control), &fd, sizeof(int));
  message->msg_control = control;
  message->msg_controllen = CMSG_SPACE(sizeof(int));
}

/* Send one number, and a descriptor with it unless that is -1. */
SHIM_API int32_t shim_unix_send(int32_t fd, int64_t value, int32_t passed) {
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = {0};
  struct iovec vector = {&value, sizeof value};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  if (passed >= 0) pass(&message, &control.header, passed);
  ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
  return sent < 0 ? -errno : sent == sizeof value ? 0 : -EAGAIN;
}

/* Connect; this, and a receive later, waits `milliseconds` at most. */
SHIM_API int32_t shim_unix_connect(const char *path, uint32_t milliseconds) {
  return connect_to(path, milliseconds, SOCK_STREAM);
}

/* The same for packets. */
SHIM_API int32_t shim_unix_connect_packets(const char *path, uint32_t milliseconds) {
  return connect_to(path, milliseconds, SOCK_SEQPACKET);
}

/* Send a text to a datagram socket, and a descriptor with it unless that is -1. "@" stands for the
 * zero byte of an abstract name, as in sd_notify(3). */
SHIM_API int32_t shim_unix_tell(const char *path, const char *text, int32_t passed) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length >= sizeof address.sun_path) return -ENAMETOOLONG;
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = 0;
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control = {0};
  struct iovec vector = {(void *)text, strlen(text)};
  struct msghdr message = {.msg_name = &address, .msg_iov = &vector, .msg_iovlen = 1,
                           .msg_namelen = offsetof(struct sockaddr_un, sun_path) + length};
  if (passed >= 0) pass(&message, &control.header, passed);
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int32_t result = sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
  close(fd);
  return result;
}

/* Send a packet, without waiting. */
SHIM_API int32_t shim_unix_say(int32_t fd, const char *text) {
  return send(fd, text, strlen(text), MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

/* Receive one number into *value, and a descriptor into *passed (-1 if none came); -EAGAIN if none
 * is there, -EMFILE if one came that we may not open, as too many are. */
SHIM_API int32_t shim_unix_receive(int32_t fd, int64_t *value, int32_t *passed, uint32_t waits) {
  union { struct cmsghdr header; char space[CMSG_SPACE(sizeof(int))]; } control;
  struct iovec vector = {value, sizeof *value};
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control,
                           .msg_controllen = CMSG_LEN(sizeof(int))}; /* room for one, no more */
  *passed = -1;
  ssize_t received = recvmsg(fd, &message, MSG_CMSG_CLOEXEC | (waits ? MSG_WAITALL : MSG_DONTWAIT));
  if (received < 0) return -errno;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS) memcpy(passed, CMSG_DATA(header), sizeof(int));
  if (received == sizeof *value && *passed < 0 && message.msg_flags & MSG_CTRUNC) return -EMFILE;
  return received == sizeof *value ? 0 : received == 0 ? -ECONNRESET : -EPROTO;
}

/* Throw away up to 64 KiB that a peer sent. Returns the bytes, -ECONNRESET at its end, -EAGAIN if
 * nothing is there. */
SHIM_API int32_t shim_unix_discard(int32_t fd, uint32_t *descriptors) {
  char bytes[1 << 16];
  struct iovec vector = {bytes, sizeof bytes};
  /* Without room for descriptors: the kernel closes them. */
  struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
  ssize_t received = recvmsg(fd, &message, MSG_DONTWAIT);
  *descriptors = received > 0 && (message.msg_flags & MSG_CTRUNC);
  return received < 0 ? -errno : received == 0 ? -ECONNRESET : (int32_t)received;
}

/* Who is at the other end of a connection: process, user and group id, as of when it connected. */
SHIM_API int32_t shim_unix_peer(int32_t fd, uint32_t *ids) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) return -errno;
  ids[0] = (uint32_t)peer.pid;
  ids[1] = peer.uid;
  ids[2] = peer.gid;
  return 0;
}
