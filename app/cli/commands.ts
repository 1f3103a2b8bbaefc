import { type Entry, entry } from "./entry.ts";
import { CHECK } from "./tables/check.ts";
import { CAPTURE } from "./tables/capture.ts";
import { CLIENT } from "./tables/client.ts";
import { CTL } from "./tables/ctl.ts";
import { FABRIC } from "./tables/fabric.ts";
import { DOCTOR } from "./tables/doctor.ts";
import { EXTCAP } from "./tables/extcap.ts";
import { GEN } from "./tables/gen.ts";
import { GUEST } from "./tables/guest.ts";
import { HOST } from "./tables/host.ts";
import { INSPECT } from "./tables/inspect.ts";
import { LAYOUT } from "./tables/layout.ts";
import { COMPLETIONS, MAN } from "./tables/meta.ts";
import { METRICS } from "./tables/metrics.ts";
import { PLUG, UNPLUG } from "./tables/plug.ts";
import { PUSH } from "./tables/push.ts";
import { RUN } from "./tables/run.ts";
import { SERVER } from "./tables/server.ts";
import { TOP } from "./tables/top.ts";
import { TRY } from "./tables/try.ts";
import { UNITS } from "./tables/units.ts";
import { VM_INSTALL } from "./tables/vm_install.ts";
import { IMAGE, QEMU } from "./tables/vm.ts";

const LCORE_URL = new URL("../guest/lcore_worker.ts", import.meta.url);
const HOST_LCORE_URL = new URL("../host/lcore_worker.ts", import.meta.url);

/** The commands of culvert, in the order of its help. */
export const COMMANDS: readonly Entry[] = [
  entry(HOST, async () => (await import("./host_command.ts")).hostCommand),
  entry(GUEST, async () => {
    const { guestCommand } = await import("./guest_command.ts");
    return (parsed) => guestCommand(parsed, LCORE_URL);
  }),
  entry(RUN, async () => {
    const { runCommand } = await import("./run_command.ts");
    return (parsed) => runCommand(parsed, { host: HOST_LCORE_URL, guest: LCORE_URL });
  }),
  entry(TRY, async () => (await import("./try_command.ts")).tryCommand),
  entry(CHECK, async () => (await import("./check_command.ts")).checkCommand),
  entry(PUSH, async () => (await import("./push_command.ts")).pushCommand),
  entry(SERVER, async () => (await import("./server_command.ts")).serverCommand),
  entry(CLIENT, async () => (await import("./client_command.ts")).clientCommand),
  entry(IMAGE, async () => (await import("./vm_command.ts")).imageCommand),
  entry(QEMU, async () => (await import("./vm_command.ts")).qemuCommand),
  entry(PLUG, async () => (await import("./plug_command.ts")).plugCommand),
  entry(UNPLUG, async () => (await import("./plug_command.ts")).unplugCommand),
  entry(INSPECT, async () => (await import("./inspect_command.ts")).inspectCommand),
  entry(TOP, async () => (await import("./top_command.ts")).topCommand),
  entry(CAPTURE, async () => (await import("./capture_command.ts")).captureCommand),
  entry(EXTCAP, async () => (await import("./extcap_command.ts")).extcapCommand),
  entry(GEN, async () => (await import("./gen_command.ts")).genCommand),
  entry(METRICS, async () => (await import("./metrics_command.ts")).metricsCommand),
  entry(DOCTOR, async () => (await import("./doctor_command.ts")).doctorCommand),
  entry(LAYOUT, async () => (await import("./layout_command.ts")).layoutCommand),
  entry(CTL, async () => (await import("./ctl_command.ts")).ctlCommand),
  entry(FABRIC, async () => (await import("./fabric_command.ts")).fabricCommand),
  entry(VM_INSTALL, async () => (await import("./vm_install_command.ts")).vmInstallCommand),
  entry(UNITS, async () => (await import("./units_command.ts")).unitsCommand),
  entry(COMPLETIONS, async () => {
    const { completionsCommand } = await import("./meta_command.ts");
    return (parsed) => completionsCommand(parsed, COMMANDS);
  }),
  entry(MAN, async () => {
    const { manCommand } = await import("./meta_command.ts");
    return (parsed) => manCommand(parsed, COMMANDS);
  }),
];
