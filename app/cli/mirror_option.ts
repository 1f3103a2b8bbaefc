import { UsageError } from "../../ffi/error.ts";
import type { MirrorOptions, RegionOptions } from "../host/host_options.ts";
import { checkInterfaceName } from "../port/interface.ts";
import { parsePortSpec, type PortSpec } from "../port/port_spec.ts";
import { checkUsage } from "./options.ts";

/**
 * Read `--mirror PORT=tap:NAME`, once for each port.
 *
 * @param texts What stands behind `--mirror`.
 * @throws {UsageError} if there is no such port, or it is mirrored to no TAP of its own.
 */
export function readMirrors(
  texts: readonly string[],
  regions: readonly RegionOptions[],
): MirrorOptions[] {
  const ports = regions.flatMap(({ guests }) => guests.flatMap((guest) => guest.ports));
  const mirrors = texts.map((text) => readMirror(text, ports));
  const taken = [...ports, ...mirrors.map(({ to }) => to)];
  for (const { port, to } of mirrors) {
    checkUsage(() => checkInterfaceName(to.name));
    if (taken.filter(({ kind, name }) => kind === "tap" && name === to.name).length > 1) {
      throw new UsageError(`Cannot mirror to tap:${to.name} as it is used twice: name another`);
    }
    if (mirrors.filter((other) => other.port === port).length > 1) {
      throw new UsageError(`Cannot mirror port ${port.name} twice: read the one TAP twice`);
    }
  }
  return mirrors;
}

function readMirror(text: string, ports: readonly PortSpec[]): MirrorOptions {
  const [, named, target] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (named === undefined) {
    throw new UsageError(`Cannot use --mirror ${text} as it is no PORT=tap:NAME`);
  }
  const to = parsePortSpec(target);
  if (to.queues) {
    throw new UsageError(
      `Cannot mirror to ${target}: leave out queues=, it has as many as its port`,
    );
  }
  if (to.kind !== "tap") {
    throw new UsageError(`Cannot mirror to ${target} as it is no TAP: write ${named}=tap:NAME`);
  }
  const found = ports.filter(({ kind, name }) => named === `${kind}:${name}` || named === name);
  if (found.length !== 1) {
    const known = ports.map(({ kind, name }) => `${kind}:${name}`).join(", ");
    throw new UsageError(
      `Cannot mirror port ${named} as ${found.length} of the host's are called so: it has ${known}`,
    );
  }
  const [port] = found;
  return { port, to: port.queues ? { ...to, queues: port.queues } : to };
}
