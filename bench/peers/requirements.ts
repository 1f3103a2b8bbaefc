import { CulvertError } from "../../ffi/error.ts";

/** Programs that the peers call, and the Debian packages that bring them. */
const PACKAGES: Readonly<Record<Program, string>> = {
  "dpdk-testpmd": "dpdk",
  "cc": "gcc libc6-dev",
  "pkg-config": "pkg-config",
  "stdbuf": "coreutils",
  "setpriv": "util-linux",
  "nsenter": "util-linux",
  "iperf3": "iperf3",
  "ping": "iputils-ping",
  "qemu-system-x86_64": "qemu-system-x86",
  "busybox": "busybox-static",
  "lz4": "lz4",
};

/** A program that a peer needs. */
export type Program =
  | "dpdk-testpmd"
  | "cc"
  | "pkg-config"
  | "stdbuf"
  | "setpriv"
  | "nsenter"
  | "iperf3"
  | "ping"
  | "qemu-system-x86_64"
  | "busybox"
  | "lz4";

/**
 * See that programs are there before anything is started.
 *
 * @throws {CulvertError} naming each program that is missing, and the `apt-get` that brings it.
 */
export async function requirePrograms(...programs: readonly Program[]): Promise<void> {
  const missing: Program[] = [];
  for (const program of programs) {
    if (!await succeeds("sh", "-c", `command -v ${program}`)) missing.push(program);
  }
  if (missing.length === 0) return;
  throw missingError(missing.join(", "), missing.map((program) => PACKAGES[program]).join(" "));
}

/**
 * See that a C program can be built on libdpdk.
 *
 * @throws {CulvertError} naming what is missing, and the `apt-get` that brings it.
 */
export async function requireLibdpdk(): Promise<void> {
  await requirePrograms("cc", "pkg-config");
  if (await succeeds("pkg-config", "--exists", "libdpdk")) return;
  throw missingError("libdpdk", "dpdk-dev libdpdk-dev");
}

function missingError(what: string, packages: string): Error {
  return new CulvertError(
    `Cannot bench as these are missing: ${what}. On Debian, as root:\n` +
      `  apt-get install --no-install-recommends ${packages}`,
  );
}

async function succeeds(program: string, ...args: string[]): Promise<boolean> {
  const options = { args, stdout: "null", stderr: "null" } as const;
  return (await new Deno.Command(program, options).output()).success;
}
