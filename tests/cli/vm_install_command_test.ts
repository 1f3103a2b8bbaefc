import { rejects } from "node:assert/strict";
import { UsageError } from "../../ffi/error.ts";
import { parseOptions } from "../../app/cli/options.ts";
import { VM_INSTALL } from "../../app/cli/tables/vm_install.ts";
import { vmInstallCommand } from "../../app/cli/vm_install_command.ts";

async function refuses(wanted: RegExp, ...args: string[]): Promise<void> {
  await rejects(vmInstallCommand(parseOptions(VM_INSTALL, args)!), (error: Error) => {
    return error instanceof UsageError && wanted.test(error.message);
  });
}

Deno.test("culvert vm-install wants one way to install", async () => {
  const wanted = /write root@VM, --archive FILE or --cloud-init URL/;
  await refuses(wanted);
  await refuses(wanted, "root@vm", "--archive", "culvert.tgz");
  await refuses(wanted, "--archive", "culvert.tgz", "--cloud-init", "http://a/culvert.tgz");
});

Deno.test("culvert vm-install --cloud-init refuses what a VM cannot fetch, or a shell would read", async () => {
  const wanted = /write --cloud-init http:\/\/HOST\/culvert\.tgz/;
  for (
    const url of ["culvert.tgz", "ftp://a/b", "http://a/b c", "http://a/';reboot;'", "http://"]
  ) {
    await refuses(wanted, "--cloud-init", url);
  }
});
