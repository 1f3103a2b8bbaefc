import { check } from "../../ffi/error.ts";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";

/** The highest NUMA node that {@linkcode bindToNode} can name. */
export const NODE_MAX = 63;

/**
 * Keep all pages of `memory` on one NUMA node; those that are elsewhere move there. The policy is
 * the file's, so that it also holds for pages that another process touches first (mbind(2),
 * `MPOL_BIND`).
 *
 * @param node Its number, from 0 to {@linkcode NODE_MAX}.
 * @throws {ShimError} if there is no such node, or not enough memory on it.
 */
export function bindToNode(memory: MappedMemory, node: number): void {
  check(
    shim.shim_map_bind(memory.map, node),
    `bind ${memory.bytes} bytes to NUMA node ${node}`,
    "the nodes with memory are in /sys/devices/system/node/has_memory; use one that has room",
  );
}
