import { CulvertError, UsageError } from "../../ffi/error.ts";
import type { AreaPort } from "../capture/capture_area.ts";
import type { FileRing } from "../capture/capture_output.ts";
import { compileFilter } from "../capture/tcpdump_filter.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { runCapture } from "./capture/run_capture.ts";
import { sayFor } from "./messages.ts";
import { checkUsage, type Parsed, readSize } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { CAPTURE } from "./tables/capture.ts";

/**
 * `culvert capture`: returns the exit status.
 *
 * @throws {UsageError} if there is no such port, or an option is wrong.
 * @throws {CulvertError} if there is no such host, or the file cannot be written.
 */
export async function captureCommand(
  { values, positionals }: Parsed<typeof CAPTURE>,
): Promise<number> {
  const { region, write: path, snaplen: snap, count, rate } = values;
  checkUsage(() => checkRegionName(region));
  if (path === "-" && Deno.stdout.isTerminal()) {
    throw new UsageError(
      "Cannot write a capture to a terminal: use -w FILE, or a pipe: culvert capture | tcpdump -nr -",
    );
  }
  const ring = values.ring === undefined ? undefined : readRing(values.ring, path);
  const filter = values.filter === undefined ? undefined : compileFilter(values.filter);
  const say = sayFor("capture");
  const signal = stopSignal(say);
  await runCapture({
    ...{ region, path, snap, filter, ring, say, signal },
    ...{ count: count ?? Infinity, rate: rate ?? Infinity },
    choose: (ports) => choosePorts(ports, positionals),
  });
  return 0;
}

/**
 * The ports that are meant by `eth1`, `packet:eth1` or `guest:0`.
 *
 * @throws {CulvertError} if there are none.
 */
export function choosePorts<Port extends AreaPort>(
  ports: readonly Port[],
  words: readonly string[],
): Port[] {
  if (words.length === 0) return [...ports];
  const chosen = words.flatMap((word) => {
    const guest = /^guest:(\d+)$/.exec(word)?.[1];
    const name = word.replace(/^(tap|packet|xdp):/, "");
    const found = ports.filter((port) =>
      guest === undefined ? port.name === name : port.guest === Number(guest)
    );
    if (found.length > 0) return found;
    const names = [...new Set(ports.map((port) => port.name))].join(", ");
    const guests = [...new Set(ports.map((port) => `guest:${port.guest}`))].join(", ");
    throw new CulvertError(
      `Cannot capture at ${word} as the host has no such port or guest: it has ${names}, ${guests}`,
    );
  });
  return ports.filter((port) => chosen.includes(port));
}

function readRing(text: string, path: string): FileRing {
  const [, files, bytes] = /^(\d+)x(\w+)$/.exec(text) ?? [];
  const ring = files === undefined
    ? undefined
    : { files: Number(files), bytes: readSize("--ring", bytes) };
  if (!ring || ring.files < 1 || ring.bytes < 4096) {
    throw new UsageError(
      `Cannot use --ring ${text} as files and bytes of each are wanted, from 1x4K on: write 10x100M`,
    );
  }
  if (path === "-") throw new UsageError("Cannot use --ring with stdout: name a file, -w FILE");
  return ring;
}
