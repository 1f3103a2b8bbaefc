import { MappedMemory } from "../../../ffi/mapped_memory.ts";
import { CulvertError } from "../../../ffi/error.ts";
import { dataWord, EMPTY_DATA, Mbufs } from "../../mempool/mbuf.ts";
import { HEADROOM_BYTES } from "../../memory/layout.ts";
import { Burst, closeBursts } from "../../ring/burst.ts";
import { Chain, told } from "./chain.ts";
import { FunctionContext, type PortDescription } from "./context.ts";
import { COUNTERS_BYTES, FunctionCounters } from "./counters.ts";
import { FrameBurst } from "./frame_burst.ts";
import type { LoadedFunction } from "./load.ts";
import { compact } from "./marks.ts";

/** Bytes of each trial frame: Ethernet's shortest, without FCS. */
const FRAME_BYTES = 60;

/** Starts of frames, from the EtherType on: one of each kind that most functions know. */
const KINDS: readonly Uint8Array[] = [
  Uint8Array.of(0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1), // an ARP request
  ipv4(1, 8), // an ICMP echo request
  ipv4(6, 0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2), // a TCP SYN to port 80
  ipv4(17, 0x9c, 0x40, 0, 53, 0, 26), // UDP to port 53
  Uint8Array.of(0x86, 0xdd, 0x60, 0, 0, 0, 0, 6, 17, 64), // IPv6 with UDP
  Uint8Array.of(0x81, 0, 0, 7, 8, 0), // VLAN 7
  Uint8Array.of(0x88, 0xb5), // an EtherType for experiments
];

function ipv4(protocol: number, ...payload: readonly number[]): Uint8Array {
  const header = [0x45, 0, 0, 46, 0, 0, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 2];
  return Uint8Array.of(8, 0, ...header, ...payload);
}

/**
 * Run functions on a burst of frames of our own, in memory of our own, to see that they work. What
 * they keep in variables of their modules is kept: try modules that are not used after that. The
 * thread may have no other bursts.
 *
 * @param ports The guest's ports.
 * @throws {CulvertError} naming the function that throws, and where.
 */
export function tryOut(
  loaded: readonly LoadedFunction[],
  ports: readonly PortDescription[],
): void {
  const memory = MappedMemory.ofProcess(256 << 10);
  const mbufs = new Mbufs(memory, { offset: 0, stride: 2368, count: 2 * KINDS.length }, false);
  const burst = Burst.of(mbufs.count);
  let used = 0;
  const source = {
    allocTo(into: Burst, at: number): boolean {
      if (used === mbufs.count) return false;
      into.words[2 * at] = used++;
      into.words[2 * at + 1] = dataWord(EMPTY_DATA, 0);
      return true;
    },
    copyFrame: () => false,
  };
  const frames = new FrameBurst(burst, mbufs, ports, source);
  frames.to = ports.length > 1 ? 1 : 0;
  for (const kind of KINDS) {
    burst.words[2 * used] = used;
    burst.words[2 * used + 1] = dataWord(HEADROOM_BYTES, FRAME_BYTES);
    frames.bytes(used).set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...kind]);
    used++;
  }
  frames.count = used;
  const counters = new FunctionCounters(new SharedArrayBuffer(COUNTERS_BYTES));
  let failure = "";
  try {
    const links = loaded.map(({ handle: { name, options }, module }) => {
      const context = new FunctionContext(ports, 0, 1, options, counters, () => {});
      return { name, context, run: module.setup?.(context) ?? module.default };
    });
    const chain = new Chain(links, false, "stop", (line) => failure = line);
    const dropped = new Uint32Array(2 * burst.capacity);
    chain.run(frames, { release: () => compact(frames, dropped) });
  } catch (error) {
    throw new CulvertError(failure || `its setup() has thrown: ${told(error)}`, { cause: error });
  } finally {
    closeBursts();
    memory.close();
  }
}
