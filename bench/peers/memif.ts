import { type Peer, startFlowPair } from "./flow_pair.ts";

let started = 0;

/** What goes through DPDK's memif. */
export interface MemifOptions {
  /** Length of a frame, 60 to 1514 bytes. */
  readonly frameBytes: number;
  /**
   * Whether the macswap end works on its own mbufs in shared memory; the other end copies still.
   */
  readonly zeroCopy: boolean;
  /** Frames per call. Default 64, with zero-copy 128: best at both lengths, of 32 to 256. */
  readonly burst?: number;
  /** Slots of each ring, a power of two. Default 4096, with zero-copy 1024: best of 256 and up. */
  readonly ringSize?: number;
}

/**
 * DPDK's memif: shared memory between two testpmd.
 *
 * @throws {Error} as {@linkcode startFlowPair} does.
 */
export async function startMemif(options: MemifOptions): Promise<Peer> {
  const { frameBytes, zeroCopy } = options;
  const { burst = zeroCopy ? 128 : 64, ringSize = zeroCopy ? 1024 : 4096 } = options;
  const socket = `culvert-memif-${Deno.pid}-${started++}`;
  const vdev = `net_memif0,id=0,bsize=2048,rsize=${Math.log2(ringSize)},` +
    `socket=${socket},socket-abstract=yes`;
  return await startFlowPair({
    frameBytes,
    burst,
    generatorVdev: `${vdev},role=server`,
    swapperVdev: `${vdev},role=client,zero-copy=${zeroCopy ? "yes" : "no"}`,
  });
}
