import { fileURLToPath } from "node:url";
import { buildProgram } from "./build_program.ts";
import { timesOf } from "./c_path.ts";
import { DpdkProcess } from "./dpdk_process.ts";
import { HUGEPAGE_BYTES, reserveHugepages } from "./hugepages.ts";
import { requireLibdpdk } from "./requirements.ts";
import { Testpmd } from "./testpmd.ts";

const SOURCES = ["./one_frame.c", "./path_frames.h"]
  .map((name) => fileURLToPath(new URL(name, import.meta.url)));

/** Memory of each program. */
const MEBIBYTES = 128;

/** The host's end swaps addresses here, the guest's end sends. */
const SWAPPER_CORE = 1, SENDER_CORE = 0;

/**
 * Round trips of single frames through DPDK's vhost-user, a packed virtqueue as in vhost_user.ts.
 *
 * @returns p50, p99 and p99.9 in nanoseconds.
 * @throws {CulvertError} if DPDK is missing or refuses, or a frame does not come back whole.
 */
export async function vhostOneFrame(frameBytes: number, frames: number): Promise<number[]> {
  await requireLibdpdk();
  const program = await buildProgram(SOURCES, "native");
  await using made = new AsyncDisposableStack();
  const directory = await Deno.makeTempDir({ prefix: `culvert-vhost-${Deno.pid}-` });
  made.defer(() => Deno.remove(directory, { recursive: true }));
  made.use(await reserveHugepages(2 * (MEBIBYTES << 20) / HUGEPAGE_BYTES));
  const swapper = made.use(
    await Testpmd.open({
      ...{ mode: "macswap", core: SWAPPER_CORE, mainCore: SENDER_CORE },
      vdevs: [`net_vhost0,iface=${directory}/socket`],
      memory: { mebibytes: MEBIBYTES, huge: true },
      args: ["--total-num-mbufs=16384", "--mbcache=256", "--burst=32"],
    }),
  );
  const sender = made.use(
    new DpdkProcess("one_frame", [
      ...[program, "--lcores", `0@${SENDER_CORE}`, "-m", String(MEBIBYTES), "--in-memory"],
      ...["--single-file-segments", "--no-pci", "--no-telemetry", "--log-level=error"],
      `--vdev=net_virtio_user0,path=${directory}/socket,packed_vq=1,queue_size=1024`,
      ...["--", String(frameBytes)],
    ]),
  );
  await sender.hear(/^ready$/m);
  await swapper.linkUp(0);
  await swapper.start();
  const answer = await sender.ask(String(frames), /\n$/);
  await swapper.stop();
  return timesOf(answer);
}
