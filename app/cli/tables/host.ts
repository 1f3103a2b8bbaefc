import type { Command } from "../command.ts";
import { BURST, CORES, GUEST_NUMBER, IDLE, LOG, MTU, STATS_PERIOD } from "./shared.ts";

const REGIONS = "of the region before them, or of all regions if they stand before the first";
const OF_THE_HOST = "of the host";

/** `culvert host`. Ports, guests and regions are read in the order in which they are given. */
export const HOST = {
  name: "host",
  summary: "open ports and lend their frames to guests",
  usage: [
    "[--region NAME|PATH] [--guest N] --port KIND:NAME... [options]",
    "--config FILE [options]",
  ],
  options: {
    "config": {
      kind: "text",
      argument: "FILE",
      about:
        "read regions, guests, ports and options from a TOML file; options on the command line " +
        "win. `culvert check FILE` checks one",
    },
    "port": {
      kind: "text",
      argument: "KIND:NAME",
      words: ["tap:", "packet:", "xdp:", "null", "ring", "link:", "pcap:"],
      many: true,
      about:
        "a port, of one of the kinds below. Ports are numbered from 0 for each guest, in the " +
        "order of the command line",
    },
    "guest": {
      ...GUEST_NUMBER,
      many: true,
      otherwise: "0",
      about: "the ports behind this belong to guest N",
    },
    "region": {
      kind: "text",
      argument: "NAME|PATH",
      many: true,
      otherwise: "culvert0",
      about: "the guests and ports behind this are in this region, where guests find the host. A " +
        "single --region may also come last",
    },
    "size": {
      kind: "size",
      argument: "BYTES",
      many: true,
      otherwise: "as it is; of a new region what its mbufs need, at least 64M",
      group: REGIONS,
      about: "its size, a power of two",
    },
    "mbufs": {
      kind: "number",
      argument: "N",
      least: 64,
      most: 2 ** 24,
      many: true,
      otherwise: "8192, or as many as fit into --size",
      group: REGIONS,
      about: "packet buffers",
    },
    "ring-size": {
      kind: "number",
      argument: "N",
      least: 2,
      most: 2 ** 20,
      many: true,
      otherwise: "1024",
      group: REGIONS,
      about: "slots of each ring, a power of two",
    },
    "numa-node": {
      kind: "number",
      argument: "N",
      least: 0,
      most: 63,
      many: true,
      otherwise: "wherever it is used first",
      group: REGIONS,
      about: "keep its memory on this node",
    },
    "mtu": {
      ...MTU,
      group: OF_THE_HOST,
      about: "MTU of TAPs that are made, and longest frame: MTU + 14 + two VLAN tags. Longer " +
        "frames are dropped and counted",
    },
    "cores": {
      ...CORES,
      otherwise: "the first",
      group: OF_THE_HOST,
      about:
        "cores to forward on, as 0 or 0,2 or 2-5. Ports and their queues are dealt to them in " +
        "turn, both ends of a link to one core",
    },
    "burst": { ...BURST, group: OF_THE_HOST },
    "idle": { ...IDLE, group: OF_THE_HOST },
    "mirror": {
      kind: "text",
      argument: "PORT=tap:NAME",
      many: true,
      group: OF_THE_HOST,
      about: "copy all frames of a port, both ways, to a TAP, where Suricata, Zeek or tcpdump " +
        "read them. Copies that it has no room for are lost and counted; each costs as much as " +
        "a frame that is sent",
    },
    "quarantine-after": {
      kind: "number",
      argument: "N",
      least: 0,
      most: 2 ** 24,
      otherwise: "1000",
      group: OF_THE_HOST,
      about: "violations after which a guest is put in quarantine until the host is started " +
        "anew; 0: never",
    },
    "hold-max": {
      kind: "number",
      argument: "N",
      least: 1,
      most: 2 ** 24,
      otherwise: "its region's, divided by the guests there",
      group: OF_THE_HOST,
      about: "mbufs that one guest may hold",
    },
    "wipe": {
      kind: "flag",
      group: OF_THE_HOST,
      about:
        "wipe a region's mbufs when its guest has gone, so that the next guest does not find " +
        "the frames of the last one in them. For regions with one guest",
    },
    "debug-pool": {
      kind: "flag",
      group: OF_THE_HOST,
      about: "check each mbuf that is allocated or freed, and log which was freed twice, or was " +
        "not to be freed, with its last owner. For work on the host's code; costs 70 ns an mbuf",
    },
    "stats-period": {
      ...STATS_PERIOD,
      default: 0,
      group: OF_THE_HOST,
      about: "print a table that often; 0: never",
    },
    "log-level": { ...LOG["log-level"], group: OF_THE_HOST },
    "log": { ...LOG["log"], group: OF_THE_HOST },
    "control": {
      kind: "text",
      argument: "NAME",
      group: OF_THE_HOST,
      about: "listen for `culvert ctl NAME`, and for DPDK's telemetry clients, at " +
        "/run/culvert/dpdk/NAME/dpdk_telemetry.v2. Who may connect may change what the host " +
        "forwards",
    },
    "may-add": {
      kind: "text",
      argument: "PATTERN,...",
      otherwise: "none but those that are named at the start",
      group: OF_THE_HOST,
      about: "interfaces that ctl may add while it runs, such as eth*,tap*",
    },
    "group": {
      kind: "text",
      argument: "NAME",
      group: OF_THE_HOST,
      about: "a group that may use the regions, too: sockets and region files that are made get " +
        "mode 0660 and that group, not 0600",
    },
    "user": {
      kind: "text",
      argument: "NAME",
      group: OF_THE_HOST,
      about: "the user to become once all is set up; the server becomes it, too, and sockets and " +
        "region files are that user's. Recommended if root starts the host: even without " +
        "capabilities root may write root's files",
    },
  },
  text: [
    "Kinds of ports:",
    [
      ["tap:NAME", "a TAP: made, and removed in the end; or one that is there"],
      [
        "packet:IFACE[,visible]",
        "an existing interface, by AF_PACKET, promiscuous meanwhile. Captures on this machine " +
        "(tcpdump) see what comes in; visible: what goes out, too, which is slower",
      ],
      [
        "xdp:IFACE[,native|,generic]",
        "an existing interface, by AF_XDP, whose frames the kernel copies into mbufs itself; they " +
        "are taken away from the host's own stack meanwhile. native: in the driver or not at " +
        "all; generic: in front of the stack, possible at any interface",
      ],
      [
        "...,queues=N",
        "behind tap:NAME, packet:IFACE or xdp:IFACE: so many queues, each served by a core of its own (-l). " +
        "The kernel deals flows to them, and each flow stays in order; a guest with as many " +
        "cores has a queue of each port on each. Counters are of all queues together",
      ],
      ["null[:BYTES]", "makes frames (64 bytes; 0: none) and swallows all"],
      ["ring[:NAME]", "receives what it is sent"],
      [
        "link:NAME",
        "one of two ends: what a guest sends here, another guest receives at the other end. " +
        "Within a region frames are handed over, between regions they are copied",
      ],
      [
        "pcap:IN[,loop][,rate=N][,w=OUT]",
        "receives the frames of a capture, in its own time, or so many a second (250k, 1M, max); " +
        "writes what it is sent to OUT, pcapng, or pcap if its name ends in .pcap. IN or OUT may be " +
        "left out. Frames wait for a guest",
      ],
    ],
    "A region's NAME is kept by `culvert server`, at /run/culvert/NAME.sock; one is started if " +
    "there is none, and ends when nobody uses the region. A PATH is a server's socket, or a file " +
    "in /dev/shm or on hugetlbfs. Started again, a host goes on with the region that is there.",
    "SIGINT, SIGTERM or a closed terminal (SIGHUP) makes the host take back what is under way and " +
    "print a summary; so does the end of the npx or deno task that started it. With --config " +
    "SIGHUP reads the file again, and ends nothing. A second signal ends the host at once, and " +
    "after 10 s it ends in any case. To leave it running: nohup, setsid or systemd-run.",
    "Once set up it gives up all capabilities in all threads, and all of Deno's permissions. A " +
    "small process, culvert-keeper, keeps what it needs to open the interfaces that were named, " +
    "if they are deleted and made again, and to start the server of a NAME, if it is killed.",
  ],
  examples: [
    {
      line: "culvert host --port tap:tap0 --port packet:eth1 -l 2 --region /dev/shm/culvert0",
    },
    {
      about: "one region, tap0 - guest 0 - guest 1 - tap1; the guests trust each other",
      line: "culvert host --port tap:tap0 --port link:ab --guest 1 --port link:ab --port tap:tap1",
    },
    {
      about: "what a file says, with another burst",
      line: "culvert host --config /etc/culvert/edge.toml --burst 64",
    },
    {
      about: "a region each, the same chain; the guests cannot see each other's memory",
      line: "culvert host --region a --port tap:tap0 --port link:ab --region b --port link:ab " +
        "--port tap:tap1",
    },
  ],
} as const satisfies Command;
