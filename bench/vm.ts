import { CulvertError } from "../ffi/error.ts";
import { Network } from "../tests/kit/network.ts";
import type { Child } from "./child.ts";
import { startHost, startShellVm } from "./culvert_process.ts";
import type { BenchOptions } from "./measurement.ts";
import { requirePrograms } from "./peers/requirements.ts";
import { Wire } from "./wire.ts";

const FRAME_BYTES = 64;

const SAMPLE_SECONDS = 2;

/** The host and the generator share a core, so that the VM has the other one. */
const HOST_CORE = 0, GENERATOR_CORE = 0;

/** Rings and mbufs for the milliseconds in which the generator has the host's core. */
const ROOM = ["--size", "128M", "--mbufs", "32768", "--ring-size", "8192"];

/** Traffic before the first sample: V8 needs some million frames, and is slow in this VM. */
const WARM_UP_SECONDS = 10;

/** The guest's kernel, its modules, and a shell. */
const BOOT_SECONDS = 120;

/** How many times the bridge's rate is wanted. */
const WANTED = 10;

/**
 * From one TAP to another through an emulated VM (QEMU's TCG, one processor), million frames
 * delivered per second: through host and `culvert guest`, and through two virtio-net devices and
 * the guest kernel's bridge in the same VM.
 */
export async function benchVm({ scale, peers, measure }: BenchOptions): Promise<void> {
  await requirePrograms("qemu-system-x86_64", "busybox", "lz4");
  await using network = new Network();
  const [ours, bridged] = [0, 1].map(() => [network.name("tap"), network.name("tap")]);
  const wireOf = ([from, to]: string[]) => new Wire({ name: from }, { name: to });
  const [ourWire, bridgedWire] = [wireOf(ours), wireOf(bridged)];
  await using vm = await BenchVm.start(ours, bridged);
  for (const name of bridged) {
    await network.run("ip", "link", "set", name, "addrgenmode", "none", "up");
  }
  await vm.resume();
  await ourWire.measure(FRAME_BYTES, WARM_UP_SECONDS * scale, GENERATOR_CORE);
  await vm.pause();
  const seconds = SAMPLE_SECONDS * scale;
  await measure({
    name: `tap -> host -> VM -> tap, ${FRAME_BYTES} B`,
    unit: "Mpps",
    better: "more",
    settings: { seconds },
    warmsUp: true,
    ours: async () => {
      await vm.resume();
      const found = await ourWire.measure(FRAME_BYTES, seconds, GENERATOR_CORE);
      await vm.pause();
      return found;
    },
    peers: !peers ? [] : [{
      name: "virtio-net, guest kernel's bridge",
      sample: () => bridgedWire.measure(FRAME_BYTES, seconds, GENERATOR_CORE),
      wanted: WANTED,
    }],
  });
}

/** A VM with a guest of ours in it, which is stopped but for {@linkcode resume}, and a bridge. */
class BenchVm implements AsyncDisposable {
  private constructor(
    private readonly host: Child,
    private readonly vm: Child,
    private readonly both: AsyncDisposable,
  ) {}

  /** @param ours TAPs of the host. @param bridged TAPs of the VM's virtio-net devices. */
  static async start(ours: readonly string[], bridged: readonly string[]): Promise<BenchVm> {
    await using programs = new AsyncDisposableStack();
    const ports = ours.map((name) => `tap:${name}`);
    const options = { core: HOST_CORE, idle: "adaptive", args: ROOM } as const;
    const host = programs.use(await startHost(options, [{ ports }]));
    const vm = programs.use(startShellVm([
      ...["virtio_pci", "virtio_net", "bridge"].flatMap((module) => ["--module", module]),
      ...bridged.flatMap(virtioNet).map((arg) => `--qemu-arg=${arg}`),
    ]));
    const bench = new BenchVm(host, vm, programs.move());
    try {
      await vm.hear(/leave by: exit/, BOOT_SECONDS);
      await bench.#run(BRIDGE.join(" && "));
      await bench.#run(`${GUEST} & guest=$!`);
      await vm.during("wait for the guest in it to attach", host.hear(/guest 0 attached/, 60), 60);
      await bench.pause();
      return bench;
    } catch (error) {
      await bench[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Let our guest run. */
  async resume(): Promise<void> {
    const attached = this.host.hear(/guest 0 attached/);
    await this.#run("kill -CONT $guest");
    await this.vm.during("wait for the guest in it to attach", attached);
  }

  /** Stop our guest; the host notices, and takes it for dead. */
  async pause(): Promise<void> {
    const gone = this.host.hear(/guest 0 (?!attached)/);
    await this.#run("kill -STOP $guest");
    await this.vm.during("wait for the host to miss the guest", gone);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.both[Symbol.asyncDispose]();
  }

  /** Have the shell run a command line, which is to succeed. */
  async #run(line: string): Promise<void> {
    const said = await this.vm.ask(`${line}; echo status $((0 + $?)).`, /status \d+\./);
    if (/status 0\./.test(said)) return;
    throw new CulvertError(
      `Cannot prepare the VM as this fails in it: ${line}${this.vm.lastLines}`,
    );
  }
}

/** QEMU's arguments for a virtio-net device on a TAP of this name, which QEMU makes. */
function virtioNet(tap: string): string[] {
  return [
    ...["-netdev", `tap,id=${tap},ifname=${tap},script=no,downscript=no`],
    ...["-device", `virtio-net-pci,netdev=${tap},rx_queue_size=1024`],
  ];
}

const BRIDGE = [
  ...["brctl addbr br0", "echo 0 > /sys/class/net/br0/bridge/forward_delay"],
  ...["brctl addif br0 eth0", "brctl addif br0 eth1"],
  ...["ifconfig eth0 up", "ifconfig eth1 up", "ifconfig br0 up"],
];

/** As the image's `/init` starts it. */
const GUEST = "deno run --allow-ffi=/culvert/libculvert.so --allow-read=/culvert --no-prompt " +
  "--no-config --no-lock --no-remote --no-npm /culvert/guest.js guest --pci auto -T 0 " +
  "--idle poll --function io";
