import { type Peer, startFlowPair } from "./flow_pair.ts";

/** Slots of the virtqueue, and frames per call. */
const QUEUE_SIZE = 1024, BURST = 64;

/**
 * DPDK's vhost-user, macswap, with virtio-user at the other end of a packed virtqueue, where frames
 * are made: the guest's end is where the generator was fastest.
 *
 * @throws {Error} as {@linkcode startFlowPair} does.
 */
export async function startVhostUser({ frameBytes }: { frameBytes: number }): Promise<Peer> {
  const directory = await Deno.makeTempDir({ prefix: `culvert-vhost-${Deno.pid}-` });
  const remove = () => Deno.remove(directory, { recursive: true });
  const socket = `${directory}/socket`;
  const pair = startFlowPair({
    frameBytes,
    burst: BURST,
    generatorVdev: `net_virtio_user0,path=${socket},packed_vq=1,queue_size=${QUEUE_SIZE}`,
    swapperVdev: `net_vhost0,iface=${socket}`,
    swapperFirst: true,
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
