/*
 * The shim's functions that the programs here call: see shim/. The shim is compiled with this
 * header, so that a prototype which differs is an error.
 */
#ifndef SHIM_API_H
#define SHIM_API_H

#include "shim.h"

#include <poll.h>

uint32_t shim_abi(void);

int32_t shim_map(void *buffer, uint64_t bytes, int32_t fd, uint64_t offset);
int32_t shim_unmap(int32_t map);
int32_t shim_map_cells(int32_t map, uint64_t offset, uint32_t stride, uint32_t count);
int32_t shim_map_long(int32_t map, uint32_t cells, uint32_t count);
int32_t shim_map_bind(int32_t map, uint32_t node);
int32_t shim_map_is_lost(int32_t map);

uint32_t shim_load_acquire(int32_t map, uint32_t word);
void shim_store_release(int32_t map, uint32_t word, uint32_t value);
int32_t shim_compare_and_swap(int32_t map, uint32_t word, uint32_t expected, uint32_t desired);
uint32_t shim_compare_exchange(int32_t map, uint32_t word, uint32_t expected, uint32_t desired);
int32_t shim_compare_and_swap_pair(int32_t map, uint32_t word, uint32_t expected_low,
                                   uint32_t expected_high, uint32_t low, uint32_t high);
uint32_t shim_fetch_add(int32_t map, uint32_t word, uint32_t addend);
int32_t shim_store_in_turn(int32_t map, uint32_t word, uint32_t turn, uint32_t value,
                           uint32_t pauses);
int32_t shim_slots_copy(uint32_t route, uint32_t slots, uint32_t burst, uint32_t n, uint32_t turn,
                        uint32_t tail);
void shim_full_fence(void);
uint32_t shim_load_awaited(int32_t map, uint32_t word, uint32_t old, uint32_t next);
uint32_t shim_fenced_load(int32_t map, uint32_t word);
void shim_pause(uint32_t times);
void shim_yield(void);
void shim_prefetch(int32_t frames, int32_t burst, uint32_t word, uint32_t count);

int32_t shim_memfd(const char *name, uint64_t bytes);
int32_t shim_file_open(const char *path, uint32_t access);
int32_t shim_file_read(int32_t fd, uint8_t *bytes, uint32_t count);
int32_t shim_file_write(int32_t fd, const uint8_t *bytes, uint32_t count, uint32_t offset);
int32_t shim_ioctl(int32_t fd, uint32_t request, uint8_t *argument, uint32_t value);
int64_t shim_file_size(int32_t fd);
int32_t shim_file_resize(int32_t fd, uint64_t bytes);
int32_t shim_file_lock(int32_t fd);
int32_t shim_file_is_alone(int32_t fd);
int32_t shim_fd_copy(int32_t from, int32_t to);
int32_t shim_fd_same(int32_t a, int32_t b);
int32_t shim_fd_status(int32_t fd, uint32_t *words);
int32_t shim_path_status(const char *path, uint32_t *words);
int32_t shim_fd_close(int32_t fd);

int32_t shim_thread_share(uint32_t slice, int32_t nice);
int32_t shim_thread_pin(uint32_t core);
int32_t shim_thread_may_run_on(uint32_t core);
double shim_clock(void);
int32_t shim_eventfd(void);
int32_t shim_eventfd_signal(int32_t fd);
int32_t shim_eventfd_drain(int32_t fd);
int32_t shim_poll(const int32_t *fds, uint32_t count, uint32_t microseconds);
int32_t shim_poll_events(struct pollfd *polled, uint32_t count, int32_t milliseconds);

int32_t shim_unix_listen(const char *path);
int32_t shim_unix_listen_packets(const char *path);
int32_t shim_unix_accept(int32_t listener, uint32_t buffer);
int32_t shim_unix_connect(const char *path, uint32_t milliseconds);
int32_t shim_unix_connect_packets(const char *path, uint32_t milliseconds);
int32_t shim_unix_tell(const char *path, const char *text, int32_t passed);
int32_t shim_unix_say(int32_t fd, const char *text);
int32_t shim_unix_send(int32_t fd, int64_t value, int32_t passed);
int32_t shim_unix_receive(int32_t fd, int64_t *value, int32_t *passed, uint32_t waits);
int32_t shim_unix_discard(int32_t fd, uint32_t *descriptors);
int32_t shim_unix_peer(int32_t fd, uint32_t *ids);

int32_t shim_keeper_start(const char *names, uint32_t bytes);
int32_t shim_keeper_stop(void);

int32_t shim_interface_get(const char *name, uint32_t *words);
int32_t shim_interface_name(uint32_t index, char *name);
int32_t shim_interface_queues(const char *name);
int32_t shim_interface_flags(const char *name, uint32_t set, uint32_t clear);
int32_t shim_interface_mtu(const char *name, uint32_t mtu);
int32_t shim_tap_open(const char *name, uint32_t is_multi);
int32_t shim_packet_open(const char *name, uint32_t buffer);
int32_t shim_packet_index(int32_t fd);
int32_t shim_packet_missed(int32_t fd);
int32_t shim_packet_share(int32_t fd, int32_t group);

int32_t shim_bpf(uint32_t command, uint8_t *attributes, uint32_t bytes, uint8_t *first,
                 uint32_t first_at, uint8_t *second, uint32_t second_at);
int32_t shim_xdp_umem(int32_t fd, int32_t map, uint64_t offset, uint64_t bytes, uint32_t chunk,
                      uint32_t flags);
int32_t shim_socket_get(int32_t fd, uint32_t level, uint32_t option, uint8_t *value,
                        uint32_t bytes);

int32_t shim_packet_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, int32_t room,
                       uint32_t count);
int32_t shim_packet_tx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, uint32_t count,
                       int32_t headers);
int32_t shim_tap_rx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, int32_t room,
                    uint32_t count);
int32_t shim_tap_tx(int32_t fd, int32_t frames, int32_t burst, uint32_t word, uint32_t count,
                    int32_t headers);
int32_t shim_discard(int32_t fd, uint32_t count);
int32_t shim_frames_copy(uint32_t frames, uint32_t bursts, uint32_t source, uint32_t target,
                         uint32_t count);
uint32_t shim_sum(uint32_t maps, uint32_t from, uint32_t to, uint32_t count);
int32_t shim_frames_record(uint32_t maps, uint32_t word, uint32_t count, int32_t area,
                           uint32_t place, uint32_t label);

#endif
