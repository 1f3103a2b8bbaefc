import { UsageError } from "../../ffi/error.ts";

/**
 * The ports that a mask enables, as DPDK l2fwd's `-p`: hexadecimal, bit i for port i.
 *
 * @throws {UsageError} if it is no mask, or enables none of the `count` ports, or one beyond.
 */
export function parsePortMask(mask: string | undefined, count: number): number[] {
  const all = Array.from({ length: count }, (_, port) => port);
  if (mask === undefined) return all;
  if (!/^(0x)?[\da-f]{1,8}$/i.test(mask)) {
    throw new UsageError(`Cannot use -p ${mask} as it is no hexadecimal mask: write 3 or 0x3`);
  }
  const bits = parseInt(mask.replace(/^0x/i, ""), 16);
  if (bits === 0 || bits >= 2 ** count) {
    throw new UsageError(
      `Cannot use -p ${mask} as the region has ${count} ports: a mask from 1 to ` +
        `${(2 ** count - 1).toString(16)} is wanted`,
    );
  }
  return all.filter((port) => Math.floor(bits / 2 ** port) % 2 === 1);
}

/**
 * Where each enabled port's frames go, as DPDK l2fwd: neighbours are paired, an odd one out is
 * paired with itself; `--portmap "(0,1)(2,3)"` says otherwise, each pair in both directions.
 *
 * @returns destination by source, enabled ports only.
 * @throws {UsageError} if the map cannot be read, or names a port twice or one that is not enabled.
 */
export function pairPorts(enabled: readonly number[], portMap?: string): Map<number, number> {
  const map = new Map<number, number>();
  if (portMap === undefined) {
    for (let i = 0; i < enabled.length; i += 2) {
      const [a, b = a] = enabled.slice(i, i + 2);
      map.set(a, b).set(b, a);
    }
    return map;
  }
  if (!/^(\(\d+,\d+\),?)+$/.test(portMap.replaceAll(" ", ""))) {
    throw new UsageError(
      `Cannot use --portmap ${portMap} as it is no map of ports: write "(0,1)(2,3)"`,
    );
  }
  for (const [, first, second] of portMap.replaceAll(" ", "").matchAll(/\((\d+),(\d+)\)/g)) {
    const [a, b] = [Number(first), Number(second)];
    for (const port of [a, b]) {
      if (!enabled.includes(port)) {
        throw new UsageError(
          `Cannot use --portmap ${portMap} as port ${port} is not enabled: ${
            enabled.join(", ")
          } are`,
        );
      }
      if (map.has(port)) {
        throw new UsageError(`Cannot use --portmap ${portMap} as port ${port} is in two pairs`);
      }
    }
    map.set(a, b).set(b, a);
  }
  return map;
}
