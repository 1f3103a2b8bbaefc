import { type PortStats, Testpmd } from "./testpmd.ts";

/** What a testpmd on AF_PACKET sockets is to do. */
export interface PacketOptions {
  /** Interfaces, up already: two to forward between, or one for `txonly` and `rxonly`. */
  readonly ports: readonly string[];
  /** `io` hands frames on as they are. Default `io`. */
  readonly mode?: "io" | "macswap" | "txonly" | "rxonly";
  /** Network namespace of the interfaces, by name; default the present one. */
  readonly namespace?: string;
  /** The core that forwards. Default 0. */
  readonly core?: number;
  /** Length of a frame that `txonly` makes, 60 to 1514 bytes. Default 64. */
  readonly frameBytes?: number;
}

/** A running testpmd on AF_PACKET. */
export interface PacketForwarder extends AsyncDisposable {
  /** Counters of one port, in the order of {@linkcode PacketOptions.ports}. */
  stats(port: number): Promise<PortStats>;
  /** End it, as disposing does. */
  close(): Promise<void>;
}

/**
 * Start DPDK's forwarder on interfaces that are there: `dpdk-testpmd` with one `net_af_packet` for
 * each, which is TPACKET_V2 rings in both directions. It forwards from now until it is closed, and
 * keeps its core busy; the load is the caller's.
 *
 * @throws {Error} if DPDK or an interface is missing, or without CAP_NET_RAW.
 */
export async function startPacketForwarder(options: PacketOptions): Promise<PacketForwarder> {
  const { ports, mode = "io", namespace, core = 0, frameBytes = 64 } = options;
  const open = () =>
    Testpmd.open({
      mode,
      core,
      vdevs: ports.map((name, i) =>
        `net_af_packet${i},iface=${name},blocksz=65536,framesz=2048,framecnt=2048,qdisc_bypass=1`
      ),
      memory: { mebibytes: 128, huge: false },
      args: ["--total-num-mbufs=16384", "--mbcache=256", "--burst=64"]
        .concat(mode === "txonly" ? `--txpkts=${frameBytes}` : []),
      namespace,
    });
  // It numbers its fanout group by process id and interface: two of them may come to the same
  // number.
  const testpmd = await open().catch((error: Error) => {
    if (error.message.includes("PACKET_FANOUT")) return open();
    throw error;
  });
  try {
    await testpmd.start();
  } catch (error) {
    await testpmd[Symbol.asyncDispose]();
    throw error;
  }
  const close = () => testpmd[Symbol.asyncDispose]();
  return { stats: (port) => testpmd.stats(port), close, [Symbol.asyncDispose]: close };
}
