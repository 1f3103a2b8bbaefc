import { type Peer, startFlowPair } from "./flow_pair.ts";

/** Slots of the virtqueue, and frames per call. */
const QUEUE_SIZE = 1024, BURST = 64;

/** What goes through DPDK's vhost-user. */
export interface VhostUserOptions {
  /** Length of a frame, 60 to 1514 bytes. */
  readonly frameBytes: number;
  /**
   * Where frames are made, counted and freed: at the guest's end (virtio-user), where that was
   * fastest, or at the host's (vhost), where ours are.
   */
  readonly generator: "guest" | "host";
}

/**
 * DPDK's vhost-user with virtio-user at the other end of a packed virtqueue: flowgen at one end,
 * macswap at the other.
 *
 * @throws {Error} as {@linkcode startFlowPair} does.
 */
export async function startVhostUser(
  { frameBytes, generator }: VhostUserOptions,
): Promise<Peer> {
  const directory = await Deno.makeTempDir({ prefix: `culvert-vhost-${Deno.pid}-` });
  const remove = () => Deno.remove(directory, { recursive: true });
  const socket = `${directory}/socket`;
  const guest = `net_virtio_user0,path=${socket},packed_vq=1,queue_size=${QUEUE_SIZE}`;
  const host = `net_vhost0,iface=${socket}`;
  const isAtGuest = generator === "guest";
  const pair = startFlowPair({
    frameBytes,
    burst: BURST,
    generatorVdev: isAtGuest ? guest : host,
    swapperVdev: isAtGuest ? host : guest,
    swapperFirst: isAtGuest,
  });
  const started = await pair.catch(async (error) => {
    await remove();
    throw error;
  });
  return {
    sample: (seconds) => started.sample(seconds),
    async [Symbol.asyncDispose]() {
      await started[Symbol.asyncDispose]();
      await remove();
    },
  };
}
