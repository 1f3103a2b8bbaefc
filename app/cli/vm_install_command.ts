import { basename, dirname } from "node:path";
import { CulvertError, UsageError } from "../../ffi/error.ts";
import { stdout } from "../linux/output.ts";
import { installationFolder } from "./installation.ts";
import type { Parsed } from "./options.ts";
import type { VM_INSTALL } from "./tables/vm_install.ts";
import { VERSION } from "./version.ts";

/** Where culvert is in the VM. */
const FOLDER = "/usr/local/lib/culvert";

/** What `uname -m` says, and what npm calls it, of the machines that there are shims for. */
const PLATFORMS: Readonly<Record<string, string>> = {
  x86_64: "linux-x64-glibc",
  aarch64: "linux-arm64-glibc",
};

/** Run in the VM, by any POSIX shell. It reads a tar; until that is there the last one stays. */
const INSTALL = `set -eu
machine=$(uname -m)
if [ "$machine" != ${Deno.build.arch} ]; then
  echo "the VM is $machine, this machine ${Deno.build.arch}" >&2
  exit 3
fi
rm -rf ${FOLDER}.new
mkdir -p ${FOLDER}.new /usr/local/bin
tar -xzf - --no-same-owner -C ${FOLDER}.new
rm -rf ${FOLDER}
mv ${FOLDER}.new ${FOLDER}
ln -sf ../lib/culvert/bin/culvert /usr/local/bin/culvert
${FOLDER}/bin/culvert units > /dev/null
systemctl daemon-reload
systemctl enable culvert-guest.service
systemctl restart culvert-guest.service`;

const CLOUD_INIT = `#cloud-config
packages: [npm]
runcmd:
  - [npm, install, --global, --prefix, /usr/local, culvert-net@${VERSION}]
  - [/usr/local/bin/culvert, units]
  - [systemctl, daemon-reload]
  - [systemctl, enable, --now, culvert-guest.service]`;

/** `culvert vm-install`: returns the exit status. */
export async function vmInstallCommand(
  { values, positionals: [vm] }: Parsed<typeof VM_INSTALL>,
): Promise<number> {
  if (values["cloud-init"] === (vm !== undefined)) {
    throw new UsageError("Cannot install in no VM or two ways: write root@VM, or --cloud-init");
  }
  if (vm === undefined) {
    stdout.line(CLOUD_INIT);
    return 0;
  }
  const folder = installationFolder("install in a VM");
  const deno = Deno.execPath();
  const place = `node_modules/@deno/${PLATFORMS[Deno.build.arch]}/deno`;
  const tar = new Deno.Command("tar", {
    args: [
      ...["-czf", "-", `--transform=s,^${basename(deno)}$,${place},`],
      ...["-C", folder, "bin", "dist", "package.json", "-C", dirname(deno), basename(deno)],
    ],
    stdout: "piped",
  }).spawn();
  const [program, ...args] = values.ssh.split(" ");
  stdout.line(`copying culvert ${VERSION} and Deno, some 50 MB, to ${vm}`);
  const ssh = new Deno.Command(program, { args: [...args, vm, INSTALL], stdin: "piped" }).spawn();
  await tar.stdout.pipeTo(ssh.stdin).catch(() => {}); // ssh tells why it reads no further
  const [packed, { success, code }] = await Promise.all([tar.status, ssh.status]);
  if (success && packed.success) {
    stdout.line(`culvert-guest.service runs in ${vm}; its options: /etc/culvert/guest`);
    return 0;
  }
  throw new CulvertError(
    `Cannot install in ${vm} as ${program} ended with status ${code}: see above` +
      (code === 127 ? "; it wants a shell with tar and systemctl" : ""),
  );
}
