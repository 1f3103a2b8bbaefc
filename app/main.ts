/**
 * The command line: `culvert host | guest | image | qemu`.
 *
 * Commands are imported when they are asked for: `--help` needs no shim, `host` no esbuild.
 *
 * @module
 */
import { CulvertError, UsageError } from "../ffi/error.ts";

const USAGE = `culvert - forward Ethernet frames between a host and its guests without copying them

usage: culvert COMMAND [options]

  host     open ports (TAP, AF_PACKET), lend their frames to a guest through shared memory
  guest    forward what the host lends, in the manner of DPDK's l2fwd
  server   keep a region alive and tell its peers of each other, as QEMU's ivshmem-server
  client   a peer that does what it is told, as QEMU's ivshmem-client
  image    build what a guest VM boots
  qemu     show or run QEMU with a guest that forwards
  plug     give a region to a VM that already runs
  unplug   take it away again
  inspect  decode a region without disturbing it
  layout   show sockets, cores, caches and nodes, and which cores to use

culvert COMMAND --help tells more.
`;

async function run([command, ...args]: string[]): Promise<number> {
  switch (command) {
    case "host":
      return await (await import("./cli/host_command.ts")).hostCommand(args);
    case "guest": {
      const { guestCommand } = await import("./cli/guest_command.ts");
      return await guestCommand(args, new URL("./guest/lcore_worker.ts", import.meta.url));
    }
    case "server":
      return await (await import("./cli/server_command.ts")).serverCommand(args);
    case "client":
      return await (await import("./cli/client_command.ts")).clientCommand(args);
    case "image":
      return await (await import("./cli/vm_command.ts")).imageCommand(args);
    case "qemu":
      return await (await import("./cli/vm_command.ts")).qemuCommand(args);
    case "plug":
      return await (await import("./cli/plug_command.ts")).plugCommand(args);
    case "unplug":
      return await (await import("./cli/plug_command.ts")).unplugCommand(args);
    case "inspect":
      return await (await import("./cli/inspect_command.ts")).inspectCommand(args);
    case "layout":
      return await (await import("./cli/layout_command.ts")).layoutCommand(args);
    case "--help":
    case "-h":
    case "help":
      console.log(USAGE);
      return 0;
    default:
      throw new UsageError(
        `Cannot run ${command ? `"${command}"` : "nothing"} as that is no command: host, guest, ` +
          `image and qemu are; culvert --help tells more`,
      );
  }
}

if (import.meta.main) {
  try {
    Deno.exit(await run(Deno.args));
  } catch (error) {
    if (!(error instanceof CulvertError || error instanceof Deno.errors.NotCapable)) throw error;
    console.error(`culvert: ${error.message}`);
    Deno.exit(error instanceof UsageError ? 2 : 1);
  }
}
