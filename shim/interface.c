/* Network interfaces: what they are, up and down, the sockets on them; netlink and ICMP sockets. */
#define _GNU_SOURCE
#include "shim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int request_for(const char *name, struct ifreq *request) {
  memset(request, 0, sizeof *request);
  if (strlen(name) >= IFNAMSIZ) return -ENAMETOOLONG;
  strcpy(request->ifr_name, name);
  return 0;
}

/* One ioctl on a throw-away socket. */
static int ask(unsigned long what, struct ifreq *request) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int result = ioctl(fd, what, request) < 0 ? -errno : 0;
  close(fd);
  return result;
}

/* Describe an interface: words 0 index, 1 flags (IFF_*), 2 MTU, 3 ARPHRD type, 4..5 MAC address. */
SHIM_API int32_t shim_interface_get(const char *name, uint32_t *words) {
  struct ifreq request;
  int error = request_for(name, &request);
  if (error < 0 || (error = ask(SIOCGIFINDEX, &request)) < 0) return error;
  words[0] = (uint32_t)request.ifr_ifindex;
  if ((error = ask(SIOCGIFFLAGS, &request)) < 0) return error;
  words[1] = (uint16_t)request.ifr_flags;
  if ((error = ask(SIOCGIFMTU, &request)) < 0) return error;
  words[2] = (uint32_t)request.ifr_mtu;
  if ((error = ask(SIOCGIFHWADDR, &request)) < 0) return error;
  words[3] = request.ifr_hwaddr.sa_family;
  words[5] = 0;
  memcpy(&words[4], request.ifr_hwaddr.sa_data, 6);
  struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
  request.ifr_data = (void *)&link; /* IFF_RUNNING may come up to a second later */
  if (ask(SIOCETHTOOL, &request) == 0 && !link.data) words[1] &= ~(uint32_t)IFF_RUNNING;
  return 0;
}

/* The name that an interface has now, by its number: up to 16 bytes. */
SHIM_API int32_t shim_interface_name(uint32_t index, char *name) {
  struct ifreq request = {.ifr_ifindex = (int)index};
  int error = ask(SIOCGIFNAME, &request);
  if (error == 0) memcpy(name, request.ifr_name, IFNAMSIZ);
  return error;
}

/* An interface's receive queues | its send queues << 16; 1 each if it does not tell. */
SHIM_API int32_t shim_interface_queues(const char *name) {
  struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
  struct ifreq request;
  if (request_for(name, &request) < 0) return -ENAMETOOLONG;
  request.ifr_data = (void *)&channels;
  if (ask(SIOCETHTOOL, &request) < 0) return 1 | 1 << 16;
  uint32_t receive = channels.rx_count + channels.combined_count;
  uint32_t send = channels.tx_count + channels.combined_count;
  return (int32_t)((receive ? receive & 0xffff : 1) | (send ? send & 0x7fff : 1) << 16);
}

int32_t interface_flags(const char *name, uint32_t set, uint32_t clear) {
  struct ifreq request;
  int error = request_for(name, &request);
  if (error < 0 || (error = ask(SIOCGIFFLAGS, &request)) < 0) return error;
  request.ifr_flags = (short)((request.ifr_flags | (int)set) & ~(int)clear);
  return ask(SIOCSIFFLAGS, &request);
}

/* Set and clear interface flags (IFF_*). */
SHIM_API int32_t shim_interface_flags(const char *name, uint32_t set, uint32_t clear) {
  return keeper_ask(interface_flags(name, set, clear), SHIM_KEEPER_FLAGS, name, set, clear);
}

int32_t interface_mtu(const char *name, uint32_t mtu) {
  struct ifreq request;
  int error = request_for(name, &request);
  if (error < 0) return error;
  request.ifr_mtu = (int)mtu;
  return ask(SIOCSIFMTU, &request);
}

SHIM_API int32_t shim_interface_mtu(const char *name, uint32_t mtu) {
  return keeper_ask(interface_mtu(name, mtu), SHIM_KEEPER_MTU, name, mtu, 0);
}

int32_t tap_open(const char *name, uint32_t is_multi) {
  struct ifreq request;
  int error = request_for(name, &request);
  if (error < 0) return error;
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return -errno;
  int header = sizeof(struct virtio_net_hdr);
  short flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  request.ifr_flags = is_multi ? flags | IFF_MULTI_QUEUE : flags;
  int result = ioctl(fd, TUNSETIFF, &request);
  if (result < 0 && errno == EINVAL && !is_multi) {
    request.ifr_flags = flags | IFF_MULTI_QUEUE;
    result = ioctl(fd, TUNSETIFF, &request);
  }
  if (result == 0 && ioctl(fd, TUNSETVNETHDRSZ, &header) == 0 && ioctl(fd, TUNSETOFFLOAD, 0) == 0)
    return fd;
  error = errno;
  close(fd);
  return -error;
}

/* Open a TAP by name, which is made if there is none; of a TAP with several queues, a queue. With
 * `is_multi` a new TAP can have several. There is an offload header before each frame, but no
 * offload: the kernel completes checksums and splits super-frames before we see them. */
SHIM_API int32_t shim_tap_open(const char *name, uint32_t is_multi) {
  return keeper_ask(tap_open(name, is_multi), SHIM_KEEPER_TAP, name, is_multi, 0);
}

enum { SEND_BUFFER = 8 << 20 };

static int set_option(int fd, int option, int value) {
  return setsockopt(fd, SOL_PACKET, option, &value, sizeof value);
}

/* Set a socket up to receive: offload headers, all frames but those that this machine sends. */
static int prepare_receive(int fd, int index, int buffer) {
  struct packet_mreq promiscuous = {.mr_ifindex = index, .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
  if (set_option(fd, PACKET_VNET_HDR, 1) < 0 || set_option(fd, PACKET_IGNORE_OUTGOING, 1) < 0)
    return -1;
  return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous);
}

/* Set a socket up to send: past the queueing discipline, unless captures are to see its frames or
 * it sends super-frames, which a device that cannot segment would drop; and with room for more
 * frames than one receiver may hold back. A macvtap that nobody reads keeps 500 frames: with the
 * usual room these stop the socket for all receivers. */
static int prepare_send(int fd, uint32_t way) {
  int room = SEND_BUFFER;
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof room) < 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  if (way == SHIM_SEND_WHOLE) return set_option(fd, PACKET_VNET_HDR, 1);
  return way == SHIM_SEND_VISIBLE ? 0 : set_option(fd, PACKET_QDISC_BYPASS, 1);
}

int32_t packet_open(const char *name, uint32_t buffer) {
  struct sockaddr_ll address = {.sll_family = AF_PACKET};
  struct ifreq request;
  int error = request_for(name, &request);
  if (error < 0 || (error = ask(SIOCGIFINDEX, &request)) < 0) return error;
  address.sll_ifindex = request.ifr_ifindex;
  int receives = buffer >= SHIM_RECEIVE;
  address.sll_protocol = receives ? htons(ETH_P_ALL) : 0;
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -errno;
  int prepared = receives ? prepare_receive(fd, address.sll_ifindex, (int)buffer)
                          : prepare_send(fd, buffer);
  if (prepared == 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0) return fd;
  error = errno;
  close(fd);
  return -error;
}

/* Open an AF_PACKET socket on an interface. To receive, `buffer` is the size of its buffer,
 * SHIM_RECEIVE or more; the interface is promiscuous until the socket is closed. To send, it is
 * SHIM_SEND_PAST, whose frames captures do not see, SHIM_SEND_VISIBLE or SHIM_SEND_WHOLE. */
SHIM_API int32_t shim_packet_open(const char *name, uint32_t buffer) {
  return keeper_ask(packet_open(name, buffer), SHIM_KEEPER_PACKET, name, buffer, 0);
}

/* The number of the interface that a socket is bound to; 0 or less once the interface has gone, or
 * has left our namespace. */
SHIM_API int32_t shim_packet_index(int32_t fd) {
  struct sockaddr_ll address = {0};
  socklen_t length = sizeof address;
  return getsockname(fd, (struct sockaddr *)&address, &length) < 0 ? -errno : address.sll_ifindex;
}

/* Put a socket that receives into a fanout group, among whose sockets the kernel divides frames by
 * flow; `group` -1: a new one. Before Linux 6.2 a group ignores PACKET_IGNORE_OUTGOING, so a filter
 * drops outgoing frames. Returns the group. */
SHIM_API int32_t shim_packet_share(int32_t fd, int32_t group) {
  static struct sock_filter incoming[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0),
      BPF_STMT(BPF_RET | BPF_K, ~0u),
  };
  struct sock_fprog filter = {sizeof incoming / sizeof *incoming, incoming};
  int value = group < 0 ? PACKET_FANOUT_FLAG_UNIQUEID << 16 : group;
  socklen_t length = sizeof value;
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0 ||
      set_option(fd, PACKET_FANOUT, value) < 0 ||
      getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &value, &length) < 0)
    return -errno;
  return value & 0xffff;
}

/* The frames that the kernel dropped since the last call, as the socket had no room. */
SHIM_API int32_t shim_packet_missed(int32_t fd) {
  struct tpacket_stats stats;
  socklen_t length = sizeof stats;
  if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length) < 0) return -errno;
  return (int32_t)stats.tp_drops;
}

/*
 * Open a socket that has no path and no interface, such as AF_NETLINK's. read(2) receives from it.
 */
SHIM_API int32_t shim_socket_open(uint32_t family, uint32_t type, uint32_t protocol) {
  int fd = socket((int)family, (int)type | SOCK_CLOEXEC, (int)protocol);
  return fd < 0 ? -errno : fd;
}

/* Send a message to an address of `bytes` bytes; if it has none, to the kernel, by netlink. */
SHIM_API int32_t shim_socket_send(int32_t fd, const uint8_t *message, uint32_t count,
                                  const uint8_t *address, uint32_t bytes) {
  const struct sockaddr *target = bytes ? (const struct sockaddr *)address : 0;
  ssize_t sent = sendto(fd, message, count, MSG_NOSIGNAL, target, bytes);
  return sent < 0 ? -errno : (int32_t)sent;
}
