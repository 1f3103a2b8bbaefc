import assert from "node:assert/strict";
import { Lab, packetPorts } from "../kit/lab.ts";
import { Libvirt } from "../kit/libvirt.ts";
import { ROOM } from "../kit/vm.ts";
import { forwards, printed, USER } from "../system/libvirt_steps.ts";

Deno.test("libvirtd starts a VM without a doorbell on a region in /dev/shm, whose frames go through", async () => {
  await using lab = await Lab.open();
  await using libvirt = await Libvirt.start(lab);
  const pair = await lab.namespacePair();
  const path = lab.newPath();
  const options = [...packetPorts(pair.a, pair.b), "-l", "0", ...ROOM, "--region", path];
  const host = await lab.startHost([...options, "--group", USER]);
  const { xml } = await printed(lab, path);
  assert.equal(await libvirt.run(xml), undefined);
  await forwards(lab, libvirt, host, pair);
});
