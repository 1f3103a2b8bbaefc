/*
 * The shim's functions with random and hostile arguments, for AddressSanitizer and
 * UndefinedBehaviorSanitizer to watch: `hostile SEED SECONDS`. tests/ffi/symbols_test.ts has a list
 * of those that are left out, and why.
 *
 * The program keeps to what the shim cannot check: buffers have the room that their caller promises
 * (shim.h), a burst does not lie among the slots of its ring, and a file that is mapped beyond its
 * end is unmapped at once.
 */
#include "hostile_arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static uint8_t *bytes;
static const uint32_t BYTES = 1 << 16; /* more than an ioctl's argument can be (14 bits) */

/* What shim_fd_status() writes. */
enum { STATUS_WORDS = 9 };

/* A map of one page with two bursts, at word 0 and at the word TARGETS. */
enum { TARGETS = 2 * SHIM_BURST, BURST_BYTES = 4 * TARGETS * 2 };

/* What a map has to hold that frames are received with: meta, and overflow for each. */
enum { META_BYTES = SHIM_BURST * 16, OVERFLOW_BYTES = 1 << 18 };

static void fill_descriptors(uint32_t *burst) {
  uint32_t good = below(2) ? 4 : UINT32_MAX; /* three of four, or all */
  for (uint32_t i = 0; i < SHIM_BURST; i++) {
    burst[2 * i] = below(good) ? below(2) : (uint32_t)odd_number();
    burst[2 * i + 1] = below(good) ? below(200) | below(1900) << 16 : any();
  }
}

/* A copy with one argument that is wrong, or none: so the shim comes to each of its checks. */
static void on_copy(void) {
  int32_t ring = shim_map(0, 4096, -1, 0), own = shim_map(0, 4096, -1, 0);
  uint32_t log = below(10), wrong = below(5), odd = (uint32_t)odd_number();
  uint32_t route = (uint32_t)ring | (uint32_t)own << 11 | log << 22 | below(4) << 29;
  uint32_t slots = wrong == 0 ? odd : below(1025 - (1u << log));
  uint32_t burst = wrong == 1 ? odd : below(512);
  uint32_t n = wrong == 2 ? odd : below((1u << log) + 1);
  uint32_t tail = wrong == 3 ? odd : below(1024);
  if (ring >= 0 && own >= 0) shim_slots_copy(route, slots, burst, n, below(2) ? 0 : any(), tail);
  if (ring >= 0) unmap(ring);
  if (own >= 0) unmap(own);
}

static void on_slots(int32_t id, uint32_t word) {
  uint32_t slots = below(2) ? below(1024) : (uint32_t)odd_number();
  uint32_t both = (uint32_t)id | (uint32_t)some_map() << 11;
  uint32_t route = below(4) ? both | below(12) << 22 | below(4) << 29 : any();
  int is_among_slots = (route & (SHIM_MAPS - 1)) == (route >> 11 & (SHIM_MAPS - 1));
  uint32_t burst = below(2) ? below(1024) : any(), n = below(4) ? below(300) : any();
  switch (below(5)) {
    case 0: shim_compare_exchange(id, word, below(2), any()); break;
    case 1: shim_compare_and_swap_pair(id, word, below(2), below(2), any(), any()); break;
    case 2: shim_store_in_turn(id, word, below(2), any(), below(9)); break;
    case 3: on_copy(); break;
    default:
      if (is_among_slots) break;
      shim_slots_copy(route, slots, burst, n, below(2) ? below(2) : any(), word);
  }
}

/* A ring of records whose head anybody may have written. The ring is the same all the time. */
static void on_records(uint32_t maps, uint32_t word, uint32_t count) {
  static int32_t area = -1;
  if (area < 0) area = shim_map(0, 9 << 20, -1, 0);
  if (area < 0) return;
  uint32_t place = below(4) ? 4096 * below(2) : (uint32_t)odd_number();
  uint32_t *head = (uint32_t *)(void *)(shim_maps[area].base + 4096 * below(2));
  if (below(4) == 0) head[0] = any();
  if (below(4) == 0) head[1] = below(2) ? below(200) : (uint32_t)odd_number();
  head[64] = below(4) ? head[0] - below(1 << 23) : any();
  shim_frames_record(maps, word, count, below(16) ? area : some_map(), place, any());
}

/* Calls on bursts: mostly all arguments are right but one. */
static void on_bursts(void) {
  uint32_t overflows = below(4) ? SHIM_BURST : below(SHIM_BURST);
  int32_t own = shim_map(0, BURST_BYTES, -1, 0);
  int32_t room = shim_map(0, META_BYTES + (uint64_t)overflows * OVERFLOW_BYTES, -1, 0);
  if (own >= 0) {
    fill_descriptors((uint32_t *)(void *)shim_maps[own].base);
    fill_descriptors((uint32_t *)(void *)shim_maps[own].base + TARGETS);
    uint32_t wrong = below(8), odd = (uint32_t)odd_number();
    int32_t burst = wrong == 0 ? some_map() : own, other = some_map(), id = some_map();
    uint32_t word = wrong == 1 ? odd : 0, target = wrong == 2 ? odd : TARGETS;
    uint32_t few = below(4) ? below(9) : below(SHIM_BURST + 1);
    uint32_t count = wrong == 3 ? SHIM_BURST + 1 + below(9) : wrong == 4 ? odd : few;
    uint32_t both = ((uint32_t)id & 0xffff) | (uint32_t)other << 16;
    uint32_t bursts = ((uint32_t)own & 0xffff) | (uint32_t)burst << 16;
    int32_t place = wrong == 5 ? some_map() : room;
    int fd = some_file();
    switch (below(9)) {
      case 8: on_records(((uint32_t)id & 0xffff) | (uint32_t)burst << 16, word, count); break;
      case 0: case 1: shim_packet_rx(fd, id, burst, word, place, count); break;
      case 2: shim_packet_tx(fd, id, burst, word, count, -1); break;
      case 3: shim_tap_rx(fd, id, burst, word, place, count); break;
      case 4: shim_tap_tx(fd, id, burst, word, count, -1); break;
      case 5: shim_prefetch(id, burst, word, count); break;
      default: shim_frames_copy(both, bursts, word, target, count);
    }
  }
  if (own >= 0) unmap(own);
  if (room >= 0) unmap(room);
}

static void on_sum(int32_t id, uint32_t odd) {
  uint32_t maps = ((uint32_t)id & 0xffff) | (uint32_t)some_map() << 16;
  uint32_t from = below(2) ? below(4096) : odd, to = below(2) ? below(4096) : odd;
  shim_sum(maps, from, to, below(4) ? below(4096) : odd);
}

static void on_memory(void) {
  int32_t id = some_map();
  uint32_t word = (uint32_t)odd_number();
  switch (below(21)) {
    case 15: case 16: case 17: on_slots(id, word); break;
    case 18: on_sum(id, word); break;
    case 19: shim_map_long(id, below(4), below(2) ? below(64) : word); break;
    case 20: shim_map_is_lost(id); break;
    case 0: case 1: map_something(); break;
    case 2: case 3:
      shim_map_cells(id, below(2) ? 4096 * below(8) : odd_number(), below(2) ? 2368 : any(),
                     below(2) ? below(64) : (uint32_t)odd_number());
      break;
    case 4: if (below(4) == 0) unmap(id); break;
    case 5: shim_map_bind(id, (uint32_t)odd_number()); break;
    case 6: shim_load_acquire(id, word); break;
    case 13: shim_load_awaited(id, word, below(2), (uint32_t)odd_number()); break;
    case 7: shim_store_release(id, word, any()); break;
    case 8: shim_compare_and_swap(id, word, below(2), any()); break;
    case 9: shim_fetch_add(id, word, any()); break;
    case 10: shim_fenced_load(id, word); break;
    case 11: case 12: shim_full_fence(); shim_pause(below(9)); shim_yield(); break;
    default: on_bursts();
  }
}

static void on_files(void) {
  int fd = some_file();
  uint64_t size = below(2) ? 4096 * below(256) : odd_number();
  uint32_t access = below(2) ? below(6) : (uint32_t)odd_number();
  uint32_t offset = below(2) ? below(BYTES) : (uint32_t)odd_number();
  uint32_t words[STATUS_WORDS];
  switch (below(14)) {
    case 10: shim_fd_copy(fd, files[below(FILES)]); break;
    case 11: shim_fd_same(fd, some_file()); break;
    case 12: shim_file_is_alone(fd); break;
    case 13:
      shim_fd_status(fd, words);
      shim_path_status(some_path(), words);
      break;
    case 0: keep(shim_memfd(below(9) ? "fuzz" : some_path(), size)); break;
    case 1: case 2: keep(shim_file_open(some_path(), access)); break;
    case 3: shim_file_read(fd, bytes, below(BYTES + 1)); break;
    case 4: shim_file_write(fd, bytes, below(BYTES + 1), offset); break;
    case 5: shim_file_size(fd); break;
    case 6: /* a size between these two would be allocated */
      shim_file_resize(fd, below(2) ? below(1 << 20) : 1ull << 63);
      break;
    case 7: shim_file_lock(fd); break;
    case 8: { /* not on a socket: it would change an interface */
      int kind = 0;
      socklen_t length = sizeof kind;
      if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &kind, &length) < 0)
        shim_ioctl(fd, any(), below(2) ? bytes : 0, any());
      break;
    }
    default:
      if (below(4)) break;
      int *place = &files[below(FILES)];
      shim_fd_close(*place);
      *place = -1;
  }
}

static void on_threads(void) {
  int32_t polled[2 * SHIM_POLL];
  struct pollfd events[8];
  uint32_t count = below(4) ? below(SHIM_POLL + 1) : (uint32_t)odd_number() | (SHIM_POLL + 1);
  switch (below(8)) {
    case 0: shim_thread_pin((uint32_t)odd_number()); break;
    case 1: shim_thread_may_run_on((uint32_t)odd_number()); break;
    case 2: if (shim_clock() <= 0) abort(); break;
    case 3: keep(shim_eventfd()); break;
    case 4: shim_eventfd_signal(some_file()); break;
    case 5: shim_eventfd_drain(some_file()); break;
    case 6:
      for (int i = 0; i < 2 * SHIM_POLL; i++) polled[i] = some_file();
      shim_poll(polled, count, below(20));
      break;
    default:
      for (int i = 0; i < 8; i++)
        events[i] = (struct pollfd){some_file(), (short)any(), (short)any()};
      shim_poll_events(events, below(9), 0);
  }
}

static void on_sockets(void) {
  int64_t value;
  int32_t passed;
  uint32_t words[6];
  int fd = some_file();
  switch (below(13)) {
    case 10: keep(shim_unix_listen_packets(some_path())); break;
    case 11: keep(shim_unix_connect_packets(some_path(), 1)); break;
    case 12:
      if (below(2)) shim_unix_tell(some_path(), some_path(), fd);
      else shim_unix_say(fd, some_path());
      break;
    case 0: keep(shim_unix_listen(some_path())); break;
    case 1: keep(shim_unix_accept(fd, 0)); break;
    case 2: keep(shim_unix_connect(some_path(), 1 + below(2))); break;
    case 3: case 4: shim_unix_send(fd, (int64_t)odd_number(), some_file()); break;
    case 5:
      if (shim_unix_receive(fd, &value, &passed, below(2)) == 0) keep(passed);
      else if (passed >= 0) close(passed);
      break;
    case 6: if (below(4) == 0) shim_unix_discard(fd, words); break;
    case 7: shim_unix_peer(fd, words); break;
    case 8: keep_pair(below(2) ? SOCK_STREAM : SOCK_DGRAM); break;
    default: (void)!write(fd, bytes, below(24)); /* less than a message, or more */
  }
}

static void on_frames(void) {
  int fd = some_file();
  switch (below(12)) {
    case 8: shim_packet_index(fd); break;
    case 9: shim_socket_get(fd, any(), any(), bytes, below(BYTES + 1)); break;
    case 10: /* no AF_XDP socket is there that would keep the memory */
      shim_xdp_umem(fd, some_map(), odd_number(), odd_number(), any(), any());
      break;
    case 11: /* of no command that the kernel has */
      shim_bpf(any() | 1u << 31, bytes, below(2) ? below(300) : any(), below(2) ? bytes : 0,
               (uint32_t)odd_number(), below(2) ? bytes : 0, (uint32_t)odd_number());
      break;
    case 0: shim_discard(fd, below(9)); break;
    case 3: shim_packet_share(fd, (int32_t)odd_number()); break;
    case 1: shim_packet_missed(fd); break;
    case 2: (void)!write(fd, bytes, below(3000)); break;
    default: on_bursts();
  }
}

static void on_interfaces(void) {
  uint32_t words[6];
  const char *name = some_path();
  switch (below(8)) {
    case 6: shim_interface_name((uint32_t)odd_number(), (char *)words); break;
    case 7: shim_interface_queues(name); break;
    case 0: shim_interface_get(name, words); break;
    case 1: shim_interface_flags(name, any(), any()); break;
    case 2: shim_interface_mtu(name, (uint32_t)odd_number()); break;
    case 3: keep(shim_tap_open(below(2) ? "zz0" : "zz1", below(3))); break;
    case 4: keep(shim_packet_open(name, (uint32_t)odd_number())); break;
    default: shim_interface_flags("lo", 1, 0); break;
  }
}

int main(int count, char **arguments) {
  if (count != 3) {
    fprintf(stderr, "usage: %s SEED SECONDS, in an empty folder\n", arguments[0]);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN); /* as Deno does */
  state = strtoull(arguments[1], 0, 10);
  deadline = seconds_now() + atof(arguments[2]);
  /* Interfaces only where there are none but our own. */
  int has_network = unshare(CLONE_NEWNET) == 0;
  for (int i = 0; i < FILES; i++) files[i] = -1;
  for (int i = 0; i < MAPS; i++) maps[i] = -1;
  bytes = calloc(1, BYTES);
  if (!bytes || (symlink("a", "link") != 0 && errno != EEXIST)) abort();
  uint64_t calls = 0;
  for (; calls % 256 != 0 || seconds_now() < deadline; calls++) {
    uint32_t what = below(15 * 16);
    if (what < 5 * 16) on_memory();
    else if (what < 8 * 16) on_files();
    else if (what < 9 * 16) on_threads();
    else if (what < 11 * 16) on_sockets();
    else if (what < 15 * 16 - 1) on_frames();
    else if (has_network) on_interfaces(); /* seldom: the kernel takes milliseconds for one */
  }
  printf("%s interfaces: ", has_network ? "with" : "without");
  return shim_abi() == SHIM_ABI ? report(calls) : 1;
}
