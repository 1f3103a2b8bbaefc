/**
 * The shim's symbol table, each entry below its C prototype (shim/*.c).
 *
 * Widths matter: a wrong one truncates in silence. `tests/ffi/symbols_test.ts` holds this table to
 * the C sources.
 */

/** The number that {@linkcode shim_abi} must return: `SHIM_ABI` in `shim/shim.h`. */
export const SHIM_ABI = 15;

/** The shim's functions, as `Deno.dlopen` takes them. */
export const SYMBOLS = {
  // uint32_t shim_abi(void)
  shim_abi: { parameters: [], result: "u32" },

  // int32_t shim_map(void *buffer, uint64_t bytes, int32_t fd, uint64_t offset)
  shim_map: { parameters: ["buffer", "u64", "i32", "u64"], result: "i32" },
  // int32_t shim_map_cells(int32_t map, uint64_t offset, uint32_t stride, uint32_t count)
  shim_map_cells: { parameters: ["i32", "u64", "u32", "u32"], result: "i32" },
  // int32_t shim_map_long(int32_t map, uint32_t cells, uint32_t count)
  shim_map_long: { parameters: ["i32", "u32", "u32"], result: "i32" },
  // int32_t shim_map_bind(int32_t map, uint32_t node)
  shim_map_bind: { parameters: ["i32", "u32"], result: "i32" },
  // int32_t shim_map_is_lost(int32_t map)
  shim_map_is_lost: { parameters: ["i32"], result: "i32" },
  // int32_t shim_unmap(int32_t map)
  shim_unmap: { parameters: ["i32"], result: "i32" },
  // int32_t shim_memfd(const char *name, uint64_t bytes)
  shim_memfd: { parameters: ["buffer", "u64"], result: "i32" },
  // int32_t shim_file_open(const char *path, uint32_t access)
  shim_file_open: { parameters: ["buffer", "u32"], result: "i32" },
  // int32_t shim_file_read(int32_t fd, uint8_t *bytes, uint32_t count)
  shim_file_read: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int32_t shim_file_write(int32_t fd, const uint8_t *bytes, uint32_t count, uint32_t offset)
  shim_file_write: { parameters: ["i32", "buffer", "u32", "u32"], result: "i32" },
  // int32_t shim_ioctl(int32_t fd, uint32_t request, uint8_t *argument, uint32_t value)
  shim_ioctl: { parameters: ["i32", "u32", "buffer", "u32"], result: "i32" },
  // int64_t shim_file_size(int32_t fd)
  shim_file_size: { parameters: ["i32"], result: "i64" },
  // int32_t shim_file_resize(int32_t fd, uint64_t bytes)
  shim_file_resize: { parameters: ["i32", "u64"], result: "i32" },
  // int32_t shim_file_lock(int32_t fd)
  shim_file_lock: { parameters: ["i32"], result: "i32" },
  // int32_t shim_file_is_alone(int32_t fd)
  shim_file_is_alone: { parameters: ["i32"], result: "i32" },
  // int32_t shim_fd_copy(int32_t from, int32_t to)
  shim_fd_copy: { parameters: ["i32", "i32"], result: "i32" },
  // int32_t shim_fd_same(int32_t a, int32_t b)
  shim_fd_same: { parameters: ["i32", "i32"], result: "i32" },
  // int32_t shim_fd_close(int32_t fd)
  shim_fd_close: { parameters: ["i32"], result: "i32" },

  // uint32_t shim_load_acquire(int32_t map, uint32_t word)
  shim_load_acquire: { parameters: ["i32", "u32"], result: "u32" },
  // uint32_t shim_load_awaited(int32_t map, uint32_t word, uint32_t old, uint32_t next)
  shim_load_awaited: { parameters: ["i32", "u32", "u32", "u32"], result: "u32" },
  // void shim_store_release(int32_t map, uint32_t word, uint32_t value)
  shim_store_release: { parameters: ["i32", "u32", "u32"], result: "void" },
  // int32_t shim_compare_and_swap(int32_t map, uint32_t word, uint32_t expected, uint32_t desired)
  shim_compare_and_swap: { parameters: ["i32", "u32", "u32", "u32"], result: "i32" },
  // uint32_t shim_compare_exchange(int32_t map, uint32_t word, uint32_t expected, uint32_t desired)
  shim_compare_exchange: { parameters: ["i32", "u32", "u32", "u32"], result: "u32" },
  // int32_t shim_compare_and_swap_pair(int32_t map, uint32_t word, uint32_t expected_low,
  //   uint32_t expected_high, uint32_t low, uint32_t high)
  shim_compare_and_swap_pair: {
    parameters: ["i32", "u32", "u32", "u32", "u32", "u32"],
    result: "i32",
  },
  // uint32_t shim_fetch_add(int32_t map, uint32_t word, uint32_t addend)
  shim_fetch_add: { parameters: ["i32", "u32", "u32"], result: "u32" },
  // void shim_full_fence(void)
  shim_full_fence: { parameters: [], result: "void" },
  // uint32_t shim_fenced_load(int32_t map, uint32_t word)
  shim_fenced_load: { parameters: ["i32", "u32"], result: "u32" },
  // void shim_pause(uint32_t times)
  shim_pause: { parameters: ["u32"], result: "void" },
  // int32_t shim_store_in_turn(int32_t map, uint32_t word, uint32_t turn, uint32_t value,
  //   uint32_t pauses)
  shim_store_in_turn: { parameters: ["i32", "u32", "u32", "u32", "u32"], result: "i32" },
  // void shim_yield(void)
  shim_yield: { parameters: [], result: "void" },
  // int32_t shim_slots_copy(uint32_t route, uint32_t slots, uint32_t burst, uint32_t n,
  //   uint32_t turn, uint32_t tail)
  shim_slots_copy: {
    parameters: ["u32", "u32", "u32", "u32", "u32", "u32"],
    result: "i32",
  },
  // void shim_prefetch(int32_t frames, int32_t burst, uint32_t word, uint32_t count)
  shim_prefetch: { parameters: ["i32", "i32", "u32", "u32"], result: "void" },

  // int32_t shim_thread_share(uint32_t slice, int32_t nice)
  shim_thread_share: { parameters: ["u32", "i32"], result: "i32" },
  // int32_t shim_thread_pin(uint32_t core)
  shim_thread_pin: { parameters: ["u32"], result: "i32" },
  // int32_t shim_thread_may_run_on(uint32_t core)
  shim_thread_may_run_on: { parameters: ["u32"], result: "i32" },
  // double shim_clock(void)
  shim_clock: { parameters: [], result: "f64" },
  // int32_t shim_eventfd(void)
  shim_eventfd: { parameters: [], result: "i32" },
  // int32_t shim_eventfd_signal(int32_t fd)
  shim_eventfd_signal: { parameters: ["i32"], result: "i32" },
  // int32_t shim_eventfd_drain(int32_t fd)
  shim_eventfd_drain: { parameters: ["i32"], result: "i32" },
  // int32_t shim_poll(const int32_t *fds, uint32_t count, uint32_t microseconds)
  shim_poll: { parameters: ["buffer", "u32", "u32"], result: "i32" },
  // int32_t shim_poll_events(struct pollfd *polled, uint32_t count, int32_t milliseconds)
  shim_poll_events: { parameters: ["buffer", "u32", "i32"], result: "i32", nonblocking: true },

  // int32_t shim_unix_listen(const char *path)
  shim_unix_listen: { parameters: ["buffer"], result: "i32" },
  // int32_t shim_unix_listen_packets(const char *path)
  shim_unix_listen_packets: { parameters: ["buffer"], result: "i32" },
  // int32_t shim_unix_accept(int32_t listener, uint32_t buffer)
  shim_unix_accept: { parameters: ["i32", "u32"], result: "i32" },
  // int32_t shim_unix_connect(const char *path, uint32_t milliseconds)
  shim_unix_connect: { parameters: ["buffer", "u32"], result: "i32" },
  // int32_t shim_unix_connect_packets(const char *path, uint32_t milliseconds)
  shim_unix_connect_packets: { parameters: ["buffer", "u32"], result: "i32" },
  // int32_t shim_unix_send(int32_t fd, int64_t value, int32_t passed)
  shim_unix_send: { parameters: ["i32", "i64", "i32"], result: "i32" },
  // int32_t shim_unix_receive(int32_t fd, int64_t *value, int32_t *passed, uint32_t waits)
  shim_unix_receive: { parameters: ["i32", "buffer", "buffer", "u32"], result: "i32" },
  // int32_t shim_unix_tell(const char *path, const char *text, int32_t passed)
  shim_unix_tell: { parameters: ["buffer", "buffer", "i32"], result: "i32" },
  // int32_t shim_unix_say(int32_t fd, const char *text)
  shim_unix_say: { parameters: ["i32", "buffer"], result: "i32" },
  // int32_t shim_unix_discard(int32_t fd, uint32_t *descriptors)
  shim_unix_discard: { parameters: ["i32", "buffer"], result: "i32" },
  // int32_t shim_unix_peer(int32_t fd, uint32_t *ids)
  shim_unix_peer: { parameters: ["i32", "buffer"], result: "i32" },

  // int32_t shim_privileges_drop(uint32_t uid, uint32_t gid)
  shim_privileges_drop: { parameters: ["u32", "u32"], result: "i32" },
  // int32_t shim_privileges_get(uint32_t *words)
  shim_privileges_get: { parameters: ["buffer"], result: "i32" },
  // int32_t shim_user_find(const char *name, uint32_t *ids)
  shim_user_find: { parameters: ["buffer", "buffer"], result: "i32" },
  // int32_t shim_group_find(const char *name, uint32_t *id)
  shim_group_find: { parameters: ["buffer", "buffer"], result: "i32" },
  // int32_t shim_fd_give(int32_t fd, uint32_t uid, uint32_t gid, uint32_t mode)
  shim_fd_give: { parameters: ["i32", "u32", "u32", "u32"], result: "i32" },
  // int32_t shim_path_give(const char *path, uint32_t uid, uint32_t gid, uint32_t mode)
  shim_path_give: { parameters: ["buffer", "u32", "u32", "u32"], result: "i32" },
  // int32_t shim_path_status(const char *path, uint32_t *words)
  shim_path_status: { parameters: ["buffer", "buffer"], result: "i32" },
  // int32_t shim_fd_status(int32_t fd, uint32_t *words)
  shim_fd_status: { parameters: ["i32", "buffer"], result: "i32" },
  // int32_t shim_path_remove(const char *path)
  shim_path_remove: { parameters: ["buffer"], result: "i32" },
  // int32_t shim_keeper_start(const char *names, uint32_t bytes)
  shim_keeper_start: { parameters: ["buffer", "u32"], result: "i32" },
  // int32_t shim_keeper_has_ended(void)
  shim_keeper_has_ended: { parameters: [], result: "i32" },
  // int32_t shim_keeper_stop(void)
  shim_keeper_stop: { parameters: [], result: "i32" },
  // int32_t shim_keeper_serve(const char *socket, int32_t memory, uint32_t first_id, uint32_t
  // vectors, int32_t *ends)
  shim_keeper_serve: { parameters: ["buffer", "i32", "u32", "u32", "buffer"], result: "i32" },

  // int32_t shim_interface_get(const char *name, uint32_t *words)
  shim_interface_get: { parameters: ["buffer", "buffer"], result: "i32" },
  // int32_t shim_interface_name(uint32_t index, char *name)
  shim_interface_name: { parameters: ["u32", "buffer"], result: "i32" },
  // int32_t shim_interface_queues(const char *name)
  shim_interface_queues: { parameters: ["buffer"], result: "i32" },
  // int32_t shim_interface_flags(const char *name, uint32_t set, uint32_t clear)
  shim_interface_flags: { parameters: ["buffer", "u32", "u32"], result: "i32" },
  // int32_t shim_interface_mtu(const char *name, uint32_t mtu)
  shim_interface_mtu: { parameters: ["buffer", "u32"], result: "i32" },
  // int32_t shim_tap_open(const char *name, uint32_t is_multi)
  shim_tap_open: { parameters: ["buffer", "u32"], result: "i32" },
  // int32_t shim_packet_open(const char *name, uint32_t buffer)
  shim_packet_open: { parameters: ["buffer", "u32"], result: "i32" },
  // int32_t shim_packet_index(int32_t fd)
  shim_packet_index: { parameters: ["i32"], result: "i32" },
  // int32_t shim_packet_share(int32_t fd, int32_t group)
  shim_packet_share: { parameters: ["i32", "i32"], result: "i32" },
  // int32_t shim_packet_missed(int32_t fd)
  shim_packet_missed: { parameters: ["i32"], result: "i32" },
  // int32_t shim_socket_open(uint32_t family, uint32_t type, uint32_t protocol)
  shim_socket_open: { parameters: ["u32", "u32", "u32"], result: "i32" },
  // int32_t shim_socket_send(int32_t fd, const uint8_t *message, uint32_t count,
  //   const uint8_t *address, uint32_t bytes)
  shim_socket_send: { parameters: ["i32", "buffer", "u32", "buffer", "u32"], result: "i32" },

  // int32_t shim_bpf(uint32_t command, uint8_t *attributes, uint32_t bytes, uint8_t *first,
  //   uint32_t first_at, uint8_t *second, uint32_t second_at)
  shim_bpf: {
    parameters: ["u32", "buffer", "u32", "buffer", "u32", "buffer", "u32"],
    result: "i32",
  },
  // int32_t shim_xdp_open(const char *name)
  shim_xdp_open: { parameters: ["buffer"], result: "i32" },
  // int32_t shim_xdp_open_apart(void)
  shim_xdp_open_apart: { parameters: [], result: "i32" },
  // int32_t shim_xdp_umem(int32_t fd, int32_t map, uint64_t offset, uint64_t bytes,
  //   uint32_t chunk, uint32_t flags)
  shim_xdp_umem: { parameters: ["i32", "i32", "u64", "u64", "u32", "u32"], result: "i32" },
  // int32_t shim_xdp_kick(int32_t fd)
  shim_xdp_kick: { parameters: ["i32"], result: "i32" },
  // int32_t shim_socket_bind(int32_t fd, const uint8_t *address, uint32_t bytes)
  shim_socket_bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  // int32_t shim_socket_set(int32_t fd, uint32_t level, uint32_t option, const uint8_t *value,
  //   uint32_t bytes)
  shim_socket_set: { parameters: ["i32", "u32", "u32", "buffer", "u32"], result: "i32" },
  // int32_t shim_socket_get(int32_t fd, uint32_t level, uint32_t option, uint8_t *value,
  //   uint32_t bytes)
  shim_socket_get: { parameters: ["i32", "u32", "u32", "buffer", "u32"], result: "i32" },

  // int32_t shim_packet_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, int32_t maps,
  //   uint32_t count)
  shim_packet_rx: { parameters: ["i32", "i32", "i32", "u32", "i32", "u32"], result: "i32" },
  // int32_t shim_packet_tx(int32_t fd, int32_t frames, int32_t burst, uint32_t word,
  //   uint32_t count, int32_t headers)
  shim_packet_tx: { parameters: ["i32", "i32", "i32", "u32", "u32", "i32"], result: "i32" },
  // int32_t shim_tap_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, int32_t room,
  //   uint32_t count)
  shim_tap_rx: { parameters: ["i32", "i32", "i32", "u32", "i32", "u32"], result: "i32" },
  // int32_t shim_tap_tx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, uint32_t count,
  //   int32_t headers)
  shim_tap_tx: { parameters: ["i32", "i32", "i32", "u32", "u32", "i32"], result: "i32" },
  // int32_t shim_discard(int32_t fd, uint32_t count)
  shim_discard: { parameters: ["i32", "u32"], result: "i32" },
  // int32_t shim_frames_copy(uint32_t frames, uint32_t bursts, uint32_t source, uint32_t target,
  //   uint32_t count)
  shim_frames_copy: { parameters: ["u32", "u32", "u32", "u32", "u32"], result: "i32" },
  // uint32_t shim_sum(uint32_t maps, uint32_t from, uint32_t to, uint32_t count)
  shim_sum: { parameters: ["u32", "u32", "u32", "u32"], result: "u32" },
  // int32_t shim_frames_record(uint32_t maps, uint32_t word, uint32_t count, int32_t area,
  //   uint32_t place, uint32_t label)
  shim_frames_record: { parameters: ["u32", "u32", "u32", "i32", "u32", "u32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;
