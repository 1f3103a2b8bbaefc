/*
 * A forwarder in C beside which culvert is measured: a host thread receives super-frames whole
 * from two ports, hands them to a guest thread through rings of descriptors, and sends what comes
 * back by the other port. Both threads sleep on eventfds, with sleeping flags, as culvert's do.
 * Frames are not checked, and a guest could do anything.
 *
 * usage: guest_hop packet:A|tap:A packet:B|tap:B HOST_CORE GUEST_CORE SPIN_US
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Buffers, their bytes, slots of a ring, and frames that are moved at a time: few, so that their
 * buffers stay in the cache. */
enum { BUFFERS = 512, ROOM = 69632, SLOTS = 512, BATCH = 4 };
enum { RECEIVE_BYTES = 64 << 20, SEND_BYTES = 8 << 20, OFFLOADS = 0x67 };

struct descriptor { uint32_t buffer, length; };

/* One producer, one consumer; each has a pair of cache lines to itself. */
struct ring {
  _Alignas(128) _Atomic uint32_t produced;
  _Alignas(128) _Atomic uint32_t consumed;
  _Alignas(128) struct descriptor slots[SLOTS];
};

/* A thread that may sleep: who has work for it looks at the flag, and writes to the eventfd. */
struct sleeper { _Alignas(128) _Atomic int sleeps; int fd; };

struct port { int is_tap, rx, tx; };

static uint8_t *buffers;
static uint32_t free_buffers[BUFFERS], free_count;
static struct ring to_guest[2], from_guest[2];
static struct sleeper host, guest;
static struct port ports[2];
static int guest_core;
static int64_t spin_ns;

static void die(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static void pin(int core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(core, &set);
  if (sched_setaffinity(0, sizeof set, &set) < 0) die("pin");
}

static void wake(struct sleeper *other) {
  uint64_t one = 1;
  atomic_thread_fence(memory_order_seq_cst);
  if (!atomic_load_explicit(&other->sleeps, memory_order_relaxed)) return;
  atomic_store(&other->sleeps, 0);
  if (write(other->fd, &one, sizeof one) < 0) die("wake");
}

static int packet_socket(const char *name, int receives) {
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name),
                                .sll_protocol = receives ? htons(ETH_P_ALL) : 0};
  struct packet_mreq all = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), one = 1;
  int bytes = receives ? RECEIVE_BYTES : SEND_BYTES;
  if (fd < 0 || setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0) die(name);
  setsockopt(fd, SOL_SOCKET, receives ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, &bytes, sizeof bytes);
  if (receives) {
    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one);
    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all);
  }
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die(name);
  return fd;
}

static int tap(const char *name) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
  snprintf(request.ifr_name, IFNAMSIZ, "%s", name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0 || ioctl(fd, TUNSETOFFLOAD, OFFLOADS) < 0)
    die(name);
  return fd;
}

static struct port open_port(const char *spec) {
  if (strncmp(spec, "tap:", 4) == 0) {
    int fd = tap(spec + 4);
    return (struct port){1, fd, fd};
  }
  const char *name = strncmp(spec, "packet:", 7) == 0 ? spec + 7 : spec;
  return (struct port){0, packet_socket(name, 1), packet_socket(name, 0)};
}

/* Receive up to `count` frames into the buffers on top of the free ones, and tell their lengths. */
static int receive(const struct port *port, int count, uint32_t *lengths) {
  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  int n = 0;
  for (int i = 0; i < count; i++) {
    uint8_t *buffer = buffers + (size_t)free_buffers[free_count - 1 - i] * ROOM;
    vectors[i] = (struct iovec){buffer, ROOM};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  if (!port->is_tap) {
    n = recvmmsg(port->rx, messages, count, MSG_DONTWAIT, 0);
    for (int i = 0; i < n; i++) lengths[i] = messages[i].msg_len;
    return n < 0 ? 0 : n;
  }
  for (ssize_t bytes; n < count && (bytes = readv(port->rx, &vectors[n], 1)) > 0; n++)
    lengths[n] = (uint32_t)bytes;
  return n;
}

static void transmit(const struct port *port, const struct descriptor *frames, int count) {
  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  for (int i = 0; i < count; i++) {
    vectors[i] = (struct iovec){buffers + (size_t)frames[i].buffer * ROOM, frames[i].length};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
    if (port->is_tap && writev(port->tx, &vectors[i], 1) < 0) continue; /* lost */
  }
  for (int done = 0; !port->is_tap && done < count;) {
    int sent = sendmmsg(port->tx, messages + done, count - done, MSG_DONTWAIT);
    done += sent > 0 ? sent : 1; /* lost */
  }
}

/* Send up to a batch of what the guest gives back for `from`; how many. */
static int send_back(int from) {
  struct ring *ring = &from_guest[from];
  uint32_t first = atomic_load_explicit(&ring->consumed, memory_order_relaxed);
  uint32_t n = atomic_load_explicit(&ring->produced, memory_order_acquire) - first;
  struct descriptor frames[BATCH];
  if (n > BATCH) n = BATCH;
  for (uint32_t i = 0; i < n; i++) frames[i] = ring->slots[(first + i) % SLOTS];
  if (n > 0) transmit(&ports[!from], frames, (int)n);
  for (uint32_t i = 0; i < n; i++) free_buffers[free_count++] = frames[i].buffer;
  atomic_store_explicit(&ring->consumed, first + n, memory_order_release);
  return (int)n;
}

/* Receive up to a batch by port `from` for the guest; how many. */
static int take_in(int from) {
  struct ring *ring = &to_guest[from];
  uint32_t first = atomic_load_explicit(&ring->produced, memory_order_relaxed);
  uint32_t used = first - atomic_load_explicit(&ring->consumed, memory_order_acquire);
  uint32_t lengths[BATCH];
  int most = free_count < BATCH ? (int)free_count : BATCH;
  if (used + BATCH > SLOTS || most == 0) return 0;
  int n = receive(&ports[from], most, lengths);
  for (int i = 0; i < n; i++)
    ring->slots[(first + i) % SLOTS] = (struct descriptor){free_buffers[--free_count], lengths[i]};
  if (n == 0) return 0;
  atomic_store_explicit(&ring->produced, first + (uint32_t)n, memory_order_release);
  wake(&guest);
  return n;
}

static int host_turn(void) {
  return send_back(0) + take_in(0) + send_back(1) + take_in(1);
}

static int guest_turn(void) {
  uint32_t moved = 0;
  for (int from = 0; from < 2; from++) {
    struct ring *in = &to_guest[from], *out = &from_guest[from];
    uint32_t first = atomic_load_explicit(&in->consumed, memory_order_relaxed);
    uint32_t to = atomic_load_explicit(&out->produced, memory_order_relaxed);
    uint32_t n = atomic_load_explicit(&in->produced, memory_order_acquire) - first;
    for (uint32_t i = 0; i < n; i++) out->slots[(to + i) % SLOTS] = in->slots[(first + i) % SLOTS];
    atomic_store_explicit(&in->consumed, first + n, memory_order_release);
    atomic_store_explicit(&out->produced, to + n, memory_order_release);
    moved += n;
  }
  if (moved > 0) wake(&host);
  return (int)moved;
}

/* Turn for as long as there is work, spin for a while, sleep until something is readable. */
static void run(int (*turn)(void), struct sleeper *self, struct pollfd *watched, nfds_t count) {
  for (int64_t last = now();;) {
    if (turn() > 0) {
      last = now();
      continue;
    }
    if (now() - last < spin_ns) continue;
    atomic_store(&self->sleeps, 1);
    atomic_thread_fence(memory_order_seq_cst);
    if (turn() == 0) {
      uint64_t rings;
      poll(watched, count, 1000);
      if (read(self->fd, &rings, sizeof rings) < 0) rings = 0;
    }
    atomic_store(&self->sleeps, 0);
    last = now();
  }
}

static void *run_guest(void *unused) {
  struct pollfd watched[] = {{guest.fd, POLLIN, 0}};
  pin(guest_core);
  run(guest_turn, &guest, watched, 1);
  return unused;
}

int main(int count, char **arguments) {
  pthread_t thread;
  if (count != 6) return 2;
  buffers = aligned_alloc(4096, (size_t)BUFFERS * ROOM);
  for (uint32_t i = 0; i < BUFFERS; i++) free_buffers[free_count++] = i;
  for (int i = 0; i < 2; i++) ports[i] = open_port(arguments[1 + i]);
  guest_core = atoi(arguments[4]);
  spin_ns = atol(arguments[5]) * 1000;
  host.fd = eventfd(0, EFD_NONBLOCK);
  guest.fd = eventfd(0, EFD_NONBLOCK);
  if (pthread_create(&thread, 0, run_guest, 0) != 0) die("thread");
  pin(atoi(arguments[3]));
  printf("ready\n");
  fflush(stdout);
  struct pollfd watched[] = {
      {ports[0].rx, POLLIN, 0}, {ports[1].rx, POLLIN, 0}, {host.fd, POLLIN, 0}};
  run(host_turn, &host, watched, 3);
}
