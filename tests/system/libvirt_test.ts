/**
 * What `culvert qemu --libvirt` prints is defined and started by Debian's libvirtd, under TCG, with
 * what app/vm/README.md says.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Lab, packetPorts } from "../kit/lab.ts";
import { Libvirt } from "../kit/libvirt.ts";
import { ROOM } from "../kit/vm.ts";
import { forwards, printed, USER } from "./libvirt_steps.ts";

Deno.test("libvirtd starts a VM with a doorbell, whose frames go through, once the host is told its group", async () => {
  await using lab = await Lab.open();
  await using libvirt = await Libvirt.start(lab);
  const pair = await lab.namespacePair();
  const options = [...packetPorts(pair.a, pair.b), "-l", "0", ...ROOM];

  const closed = await lab.startHost(options);
  const { xml, advice } = await printed(lab, lab.region, ["--doorbell"]);
  assert.match(advice, /libvirt: let QEMU in: start the host with --group libvirt-qemu/);
  assert.match(`${await libvirt.run(xml)}`, /Failed to connect to .*\.sock.*: Permission denied/);
  await lab.finishHost(closed);

  const host = await lab.startHost([...options, "--group", USER]);
  assert.equal(await libvirt.run(xml), undefined);
  await forwards(lab, libvirt, host, pair);
  assert(Number(/(\d+) doorbells rung/.exec(host.stdout)?.[1]) > 20, host.stdout);
});

Deno.test("libvirt's QEMU cannot open a memfd at its server, and is advised against it", async () => {
  await using lab = await Lab.open();
  await using libvirt = await Libvirt.start(lab);
  const host = await lab.startHost(["--port", "ring", "-l", "0", "--group", USER]);
  const { xml, advice } = await printed(lab, lab.region);
  assert.match(
    advice,
    /\/proc\/\d+\/fd\/\d+ can be opened by a QEMU of root's only: use --doorbell/,
  );
  assert.match(
    `${await libvirt.run(xml)}`,
    /can't open backing store \/proc\/.*: Permission denied/,
  );
  await lab.finishHost(host);
});

Deno.test("AppArmor's profile of such a domain, as libvirt writes it, lets QEMU at socket, file and image", async () => {
  await using lab = await Lab.open();
  const profileOf = async (xml: string) => {
    const name = "libvirt-f23d8935-9b1f-4c10-b98e-9fe10407b81f";
    const named = xml.replace("<memory", `<uuid>${name.slice(8)}</uuid><memory`);
    const dryRun = `printf %s "$1" | /usr/lib/libvirt/virt-aa-helper -d -c -u ${name}`;
    return (await lab.run("sh", "-c", dryRun, "sh", named)).stderr;
  };
  const host = await lab.startHost(["--port", "ring", "-l", "0"]);
  const served = await profileOf((await printed(lab, lab.region, ["--doorbell"])).xml);
  assert(served.includes(`"/run/culvert/${lab.region}.sock" rw,`), served);
  assert.match(served, /"\S+vmlinuz\S+" r,/);
  assert.match(served, /"\S+initrd-\S+\.cpio" r,/);
  await lab.finishHost(host);
});

Deno.test("app/vm/README.md has lines that systemd-tmpfiles and AppArmor's parser take", async () => {
  await using lab = await Lab.open();
  const readme = await Deno.readTextFile(new URL("../../app/vm/README.md", import.meta.url));
  const [, tmpfiles] = /^ *(d \/run\/culvert .*)$/m.exec(readme)!;
  const [, rule] = /^ *(\/dev\/hugepages\/\S+ rw,)$/m.exec(readme)!;
  const root = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${root}/culvert.conf`, `${tmpfiles}\n`);
    await lab.run("systemd-tmpfiles", "--create", `--root=${root}`, `${root}/culvert.conf`);
    assert.equal((await Deno.stat(`${root}/run/culvert`)).mode! & 0o777, 0o711);
    const profile = `profile culvert { #include <abstractions/libvirt-qemu>\n ${rule}\n}\n`;
    await Deno.writeTextFile(`${root}/profile`, `#include <tunables/global>\n${profile}`);
    await lab.run("apparmor_parser", "--skip-kernel-load", "--skip-cache", `${root}/profile`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
