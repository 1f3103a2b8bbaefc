import { kernelError, UsageError } from "../../ffi/error.ts";
import { compileFilter } from "../capture/tcpdump_filter.ts";
import { stdout } from "../linux/output.ts";
import { SOCKET_FOLDER } from "../memory/region_name.ts";
import { capturedRegions } from "../region/capture_file.ts";
import { runCapture } from "./capture/run_capture.ts";
import { choosePorts } from "./capture_command.ts";
import { sayFor } from "./messages.ts";
import type { Parsed } from "./options.ts";
import { stopSignal } from "./stop_signal.ts";
import type { EXTCAP } from "./tables/extcap.ts";
import { VERSION } from "./version.ts";

/** The beginning of an interface's name, before the name of its region. */
const PREFIX = "culvert-";

/**
 * `culvert extcap`: returns the exit status.
 *
 * @throws {UsageError} if it is not called as Wireshark does.
 * @throws {CulvertError} if the region cannot be captured.
 */
export async function extcapCommand({ values }: Parsed<typeof EXTCAP>): Promise<number> {
  const text = values["extcap-capture-filter"];
  const filter = text ? compileFilter(text) : undefined;
  if (values["extcap-interfaces"]) return print(interfaces());
  const name = values["extcap-interface"];
  if (name === undefined) {
    throw new UsageError(
      "Cannot run culvert extcap by hand: Wireshark calls it; --extcap-interfaces lists interfaces",
    );
  }
  if (!name.startsWith(PREFIX)) {
    throw new UsageError(
      `Cannot use interface ${name} as it is none of ours: --extcap-interfaces lists them`,
    );
  }
  if (values["extcap-dlts"]) return print(["dlt {number=1}{name=EN10MB}{display=Ethernet}"]);
  if (values["extcap-config"]) return print(SETTINGS);
  if (!values.capture) return 0; // Wireshark only asks whether the filter is right
  if (values.fifo === undefined) throw new UsageError("Cannot capture without --fifo PATH");
  const say = sayFor("extcap");
  const words = values.ports?.split(/\s+/).filter((word) => word !== "") ?? [];
  await runCapture({
    ...{ region: name.slice(PREFIX.length), path: values.fifo, snap: values.snaplen, filter },
    ...{ count: Infinity, rate: Infinity, say, signal: stopSignal(say) },
    choose: (ports) => choosePorts(ports, words),
  });
  return 0;
}

/** What Wireshark may ask for, in the order of its dialog. */
const SETTINGS = [
  "arg {number=0}{call=--ports}{display=Ports and guests}{type=string}" +
  "{tooltip=As eth1 tap0 guest:1. All, if it is empty}",
  "arg {number=1}{call=--snaplen}{display=Bytes of each frame}{type=unsigned}{default=262144}",
];

function interfaces(): string[] {
  return [
    `extcap {version=${VERSION}}{help=man:culvert-extcap}`,
    ...regions().map((region) =>
      `interface {value=${PREFIX}${region}}{display=Culvert region ${region}}`
    ),
  ];
}

/** The regions whose hosts can be captured at, by name. */
function regions(): string[] {
  try {
    return capturedRegions();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw kernelError(error, `list regions in ${SOCKET_FOLDER}`);
  }
}

async function print(lines: readonly string[]): Promise<number> {
  for (const line of lines) stdout.line(line);
  await stdout.flush();
  return 0;
}
