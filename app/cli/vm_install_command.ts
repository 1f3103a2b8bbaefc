import { basename, dirname } from "node:path";
import { CulvertError, UsageError } from "../../ffi/error.ts";
import { stdout } from "../linux/output.ts";
import { installationFolder } from "./installation.ts";
import type { Parsed } from "./options.ts";
import type { VM_INSTALL } from "./tables/vm_install.ts";
import { VERSION } from "./version.ts";

/** Where culvert is in the VM. */
const FOLDER = "/usr/local/lib/culvert";

/**
 * The machines that there are shims for, by what `uname -m` says: what npm calls their platform.
 */
const PLATFORMS: Readonly<Record<string, string>> = {
  x86_64: "linux-x64-glibc",
  aarch64: "linux-arm64-glibc",
};

/**
 * Run in the VM, by any POSIX shell. It reads a tar; until it has all of that, the last one stays.
 */
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

/** Fetches the archive in the VM: cloud-init is written in Python, so the VM has Python. */
const FETCH = "import shutil, sys, urllib.request as web; " +
  "shutil.copyfileobj(web.urlopen(sys.argv[1]), sys.stdout.buffer)";

/** A URL that means itself between a shell's quotes and in YAML. */
const PLAIN_URL = /^https?:\/\/[^\s'\\]+$/;

/** What cloud-init is told, for a VM that fetches the archive from `url`. */
function cloudConfig(url: string): string {
  if (!PLAIN_URL.test(url)) {
    throw new UsageError(`Cannot fetch ${url}: write --cloud-init http://HOST/culvert.tgz`);
  }
  const script = `python3 -c '${FETCH}' '${url}' | {\n${INSTALL}\n}`;
  return `#cloud-config\nruncmd:\n  - |\n${script.replace(/^/gm, "    ")}`;
}

/** `culvert vm-install`: returns the exit status. */
export async function vmInstallCommand(
  { values, positionals: [vm] }: Parsed<typeof VM_INSTALL>,
): Promise<number> {
  const { ssh, archive, "cloud-init": url } = values;
  if ([vm, archive, url].filter((way) => way !== undefined).length !== 1) {
    throw new UsageError(
      "Cannot install as one way is wanted: write root@VM, --archive FILE or --cloud-init URL",
    );
  }
  if (url !== undefined) {
    stdout.line(cloudConfig(url));
    return 0;
  }
  const folder = installationFolder("install in a VM");
  const deno = Deno.execPath();
  const place = `node_modules/@deno/${PLATFORMS[Deno.build.arch]}/deno`;
  const tar = new Deno.Command("tar", {
    args: [
      ...["--force-local", "-czf", archive ?? "-", `--transform=s,^${basename(deno)}$,${place},`],
      ...["-C", folder, "bin", "dist", "package.json", "-C", dirname(deno), basename(deno)],
    ],
    stdout: "piped",
  }).spawn();
  if (vm === undefined) {
    await tar.stdout.cancel();
    const { code } = await tar.status;
    if (code === 0) stdout.line(`${archive} has culvert ${VERSION} and Deno: see --cloud-init`);
    return code;
  }
  const [program, ...args] = ssh.split(" ");
  stdout.line(`copying culvert ${VERSION} and Deno, some 50 MB, to ${vm}`);
  const remote = new Deno.Command(program, { args: [...args, vm, INSTALL], stdin: "piped" })
    .spawn();
  await tar.stdout.pipeTo(remote.stdin).catch(() => {}); // ssh tells why it reads no further
  const [packed, { success, code }] = await Promise.all([tar.status, remote.status]);
  if (success && packed.success) {
    stdout.line(`culvert-guest.service runs in ${vm}; its options: /etc/culvert/guest`);
    return 0;
  }
  throw new CulvertError(
    `Cannot install in ${vm} as ${program} ended with status ${code}: see above` +
      (code === 127 ? "; it wants a shell with tar and systemctl" : ""),
  );
}
