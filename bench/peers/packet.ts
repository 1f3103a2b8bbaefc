import { type PortStats, Testpmd } from "./testpmd.ts";

/** What a testpmd on interfaces that are there is to do. */
export interface PacketOptions {
  /** By what: TPACKET_V2 rings in both directions, or AF_XDP. Default AF_PACKET. */
  readonly by?: "af_packet" | "af_xdp";
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

/** What was best for each device. */
const DEVICE_OPTIONS = {
  af_packet: ",blocksz=65536,framesz=2048,framecnt=2048,qdisc_bypass=1",
  af_xdp: "",
};

/** A running testpmd on interfaces. */
export interface PacketForwarder extends AsyncDisposable {
  /** Counters of one port, in the order of {@linkcode PacketOptions.ports}. */
  stats(port: number): Promise<PortStats>;
  /** End it, as disposing does. */
  close(): Promise<void>;
}

/**
 * Start DPDK's forwarder on interfaces that are there: `dpdk-testpmd` with one `net_af_packet` for
 * each (or `net_af_xdp`). It forwards from now until it is closed, and keeps its core busy; the
 * load is the caller's.
 *
 * @throws {Error} if DPDK or an interface is missing, or without CAP_NET_RAW.
 */
export async function startPacketForwarder(options: PacketOptions): Promise<PacketForwarder> {
  const { by = "af_packet", ports, mode = "io", namespace, core = 0, frameBytes = 64 } = options;
  const open = () =>
    Testpmd.open({
      mode,
      core,
      vdevs: ports.map((name, i) => `net_${by}${i},iface=${name}${DEVICE_OPTIONS[by]}`),
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

/**
 * Start DPDK's forwarder on two TAPs of its own: `dpdk-testpmd` with two `net_tap`.
 *
 * @param names The TAPs, which are made and gone again.
 * @throws {Error} if DPDK is missing, or without CAP_NET_ADMIN.
 */
export async function startTapForwarder(names: readonly string[]): Promise<AsyncDisposable> {
  const testpmd = await Testpmd.open({
    mode: "io",
    core: 0,
    vdevs: names.map((name, i) => `net_tap${i},iface=${name}`),
    memory: { mebibytes: 128, huge: false },
    args: ["--total-num-mbufs=16384", "--mbcache=256", "--burst=64"],
  });
  try {
    await testpmd.start();
  } catch (error) {
    await testpmd[Symbol.asyncDispose]();
    throw error;
  }
  return testpmd;
}
