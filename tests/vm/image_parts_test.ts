import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import { parseLdd } from "../../app/vm/base.ts";
import { joinBytes } from "../../app/linux/join_bytes.ts";
import { cpioDirectory, cpioFile, cpioLink, encodeCpio } from "../../app/vm/cpio.ts";
import { initScript, parseExitStatus } from "../../app/vm/init.ts";
import { dependenciesOf, modulesDep } from "../../app/vm/modules.ts";
import { runTool, runToolForText } from "../../app/vm/tools.ts";

const BYTES = new TextEncoder();

Deno.test("encodeCpio() writes an archive that busybox's cpio unpacks", async () => {
  const directory = await Deno.makeTempDir();
  try {
    const archive = encodeCpio([
      cpioFile("init", "#!/bin/sh\n", true),
      cpioFile("a/b/odd", "12345"),
      cpioFile("a/b/empty", ""),
      cpioDirectory("proc"),
      cpioLink("a/link", "b/odd"),
    ]);
    await runTool("busybox", ["cpio", "-i"], { cwd: directory, input: archive });
    strictEqual(await Deno.readTextFile(`${directory}/a/link`), "12345");
    strictEqual((await Deno.stat(`${directory}/init`)).mode! & 0o777, 0o755);
    strictEqual((await Deno.stat(`${directory}/a/b/empty`)).size, 0);
    strictEqual((await Deno.stat(`${directory}/proc`)).isDirectory, true);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("encodeCpio() ends on 4 bytes, so that another archive can follow", () => {
  for (const text of ["", "1", "12", "123", "1234"]) {
    strictEqual(joinBytes(encodeCpio([cpioFile("name", text)])).length % 4, 0);
  }
});

Deno.test("encodeCpio() adds each parent directory once, before what is in it", async () => {
  const input = encodeCpio([cpioFile("a/b/c", ""), cpioFile("a/b/d", ""), cpioDirectory("a/b")]);
  const list = await runToolForText("busybox", ["cpio", "-t"], { input });
  deepStrictEqual(list.trim().split("\n"), ["a", "a/b", "a/b/c", "a/b/d"]);
});

Deno.test("encodeCpio() refuses an absolute path", () => {
  throws(() => joinBytes(encodeCpio([cpioFile("/init", "")])), /drop the first slash/);
});

Deno.test("the init script is one that busybox's shell can parse", async () => {
  await runTool("busybox", ["sh", "-n"], { input: [BYTES.encode(initScript())] });
  match(initScript(), /^#!\/bin\/sh\n/);
});

Deno.test("parseExitStatus() finds the guest's status in its console output", () => {
  strictEqual(parseExitStatus("hello\nculvert-guest-exit 7\n[    3.2] reboot\n"), 7);
  strictEqual(parseExitStatus("culvert-guest-exit 0\r\n"), 0);
  strictEqual(parseExitStatus("it says culvert-guest-exit 7\n"), undefined);
  strictEqual(parseExitStatus(""), undefined);
});

Deno.test("dependenciesOf() reads a module's needs, with underscores", () => {
  const module = (text: string) => BYTES.encode(`\x7fELF\0alias=x\0depends=${text}\0name=m\0`);
  deepStrictEqual(dependenciesOf(module("virtio,net-failover")), ["virtio", "net_failover"]);
  deepStrictEqual(dependenciesOf(module("")), []);
  deepStrictEqual(dependenciesOf(BYTES.encode("\x7fELF")), []);
});

Deno.test("modulesDep() lists what a module needs after its path", () => {
  const low = { name: "low", path: "kernel/low.ko", content: new Uint8Array(), needs: [] };
  const top = { name: "top", path: "kernel/top.ko", content: new Uint8Array(), needs: [low] };
  strictEqual(modulesDep([low, top]), "kernel/low.ko:\nkernel/top.ko: kernel/low.ko\n");
});

Deno.test("parseLdd() finds libraries and the loader, not the vDSO", () => {
  const text = "\tlinux-vdso.so.1 (0x00007f9a)\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f9a)\n" +
    "\t/lib64/ld-linux-x86-64.so.2 (0x00007f9a)\n";
  deepStrictEqual(parseLdd(text), ["/lib/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
});
