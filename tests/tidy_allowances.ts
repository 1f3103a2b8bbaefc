/**
 * What tests/tidy_test.ts still lets pass.
 *
 * @module
 */

/** Exports that only tests use, by the reason. */
export const FOR_TESTS: Readonly<Record<string, readonly string[]>> = {
  "reads what the kernel or a program prints: tests have the output of other machines": [
    "app/linux/cpu_layout.ts parseCpuList",
    "app/linux/owner.ts findGroup",
    "app/linux/pci.ts parsePciDevices",
    "app/region/cached_bar.ts parseResource",
    "app/region/listening_servers.ts parseListening",
    "app/vm/base.ts parseLdd",
    "app/vm/host_machine.ts parseNumaMaps",
    "app/vm/modules.ts dependenciesOf",
  ],
  "the simulator has servers of its own": ["app/guest/region_link.ts PeerLink"],
  "reads a command line, or makes text: tests try more than can be run": [
    "app/cli/client_command.ts clientOptions",
    "app/cli/guest_command.ts guestOptions",
    "app/cli/help.ts labelOf",
    "app/cli/inspect_command.ts inspectOptions",
    "app/cli/layout_command.ts layoutText",
    "app/cli/server_command.ts serverOptions",
    "app/region/choose_ivshmem.ts chooseOurs",
    "app/region/server_command_line.ts argumentsFor",
    "app/region/server_command_line.ts filesOf",
    "app/vm/run_qemu.ts showLines",
  ],
  "calculates: tests try numbers at the edges": [
    "app/host/lay_out.ts strideFor",
    "app/host/summary.ts accountOf",
    "app/ivshmem/unused_watch.ts isAtRest",
  ],
  "maps a device's memory uncached: a VM's guest compares it with the cached mapping": [
    "app/region/cached_bar.ts mapPhysical",
  ],
  "a limit or table that something else repeats: tests compare the two": [
    "app/channel/ledger.ts GUESTS_MAX",
    "app/guest/attachment.ts HOST_TIMEOUT_MS",
    "app/linux/numa.ts NODE_MAX",
    "app/port/port_spec.ts PORT_KINDS",
  ],
};

/** Files that may have more lines, by the reason. */
export const LONG_FILES: Readonly<Record<string, readonly string[]>> = {
  "each offset of the region is written in one place": ["app/memory/layout.ts"],
  "each command and tool is a task": ["deno.json"],
};
