import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { libvirtText } from "../../app/vm/libvirt.ts";
import type { LocatedRegion } from "../../app/vm/located_region.ts";
import { FILE, launches, SERVED } from "./launch_lab.ts";

/** The XML of a command line's only VM, without spaces between elements, once it is well-formed. */
function xml(args: string[], regions?: LocatedRegion[]): string {
  const text = libvirtText(launches([...args, "--libvirt"], regions));
  checkWellFormed(text);
  return text.replace(/>\s+</g, "><");
}

/** Comments, elements that close in order, attributes in quotes; nothing unescaped; one root. */
function checkWellFormed(text: string): void {
  const name = "[A-Za-z][\\w:.-]*";
  const token = new RegExp(
    `<!--(?:(?!--)[^])*-->|<(${name})((?: ${name}="[^<&"]*(?:&(?:amp|lt|gt|quot);[^<&"]*)*")*)(/?)>|` +
      `</(${name})>|[^<&]+|&(?:amp|lt|gt|quot);`,
    "y",
  );
  const open: string[] = [];
  let roots = 0;
  for (let at = 0; at < text.length; at = token.lastIndex) {
    token.lastIndex = at;
    const found = token.exec(text);
    ok(found, `no XML: ${text.slice(at, at + 40)}`);
    const [, opened, attributes, isEmpty, closed] = found;
    if (opened) {
      const keys = [...attributes.matchAll(/ ([\w:.-]+)=/g)].map(([, key]) => key);
      strictEqual(new Set(keys).size, keys.length, `an attribute twice: ${found[0]}`);
      if (open.length === 0) roots++;
      if (!isEmpty) open.push(opened);
    }
    if (closed) strictEqual(open.pop(), closed);
  }
  deepStrictEqual(open, []);
  strictEqual(roots, 1);
}

Deno.test("libvirtText() names a region with a server by its socket", () => {
  const text = xml(["--doorbell"]);
  match(
    text,
    /<shmem name="culvert0" role="peer"><model type="ivshmem-doorbell"\/><server path="\/run\/culvert\/culvert0\.sock"\/><msi vectors="4" ioeventfd="on"\/><address [^>]*\/><\/shmem>/,
  );
  match(text, /<iommu model="intel"><driver intremap="on"\/><\/iommu>/);
  match(text, /<ioapic driver="qemu"\/>/, "libvirt refuses to remap interrupts without it");
  ok(!/qemu:/.test(text) && !/ioapic/.test(xml([])));
});

Deno.test("libvirtText() names a file in /dev/shm by its name there", () => {
  const text = xml([], [FILE]);
  match(
    text,
    /<shmem name="r" role="peer"><model type="ivshmem-plain"\/><size unit="M">1<\/size><address [^>]*\/><\/shmem>/,
  );
  ok(!/qemu:|iommu/.test(text));
  match(xml(["--master"], [FILE]), /<shmem name="r" role="master">/);
});

Deno.test("libvirtText() gives QEMU what libvirt has no words for, in the right slots", () => {
  const small = { ...FILE, region: "/dev/shm/s", path: "/dev/shm/s", bytes: 4096 };
  const deep = { ...FILE, region: "/dev/shm/a/b", path: "/dev/shm/a/b" };
  const text = xml([], [SERVED, FILE, small, deep]);
  deepStrictEqual([...text.matchAll(/<qemu:arg value="(ivshmem[^"]*)"/g)].map(([, word]) => word), [
    "ivshmem-plain,memdev=culvert0,addr=0x10",
    "ivshmem-plain,memdev=culvert2,addr=0x12",
    "ivshmem-plain,memdev=culvert3,addr=0x13",
  ]);
  match(
    text,
    /<qemu:arg value="memory-backend-file,id=culvert0,share=on,mem-path=\/proc\/12\/fd\/3,/,
  );
  match(text, /<shmem name="r".*<address type="pci" bus="0x00" slot="0x11" function="0x0"\/>/);
  match(text, /^<!--[^>]*--><domain type="qemu" xmlns:qemu="http:\/\/libvirt\.org\/schemas/);
});

Deno.test("libvirtText() carries over machine, image, memory and processors", () => {
  const text = xml(["--accel", "kvm", "--doorbell", "--memory", "512", "--cpus", "3"]);
  match(text, /<domain type="kvm"><name>culvert-culvert0-guest0<\/name>/);
  match(text, /<memory unit="MiB">512<\/memory><vcpu current="3">3<\/vcpu>/);
  match(text, /<kernel>\/k\/vmlinuz<\/kernel><initrd>\/k\/initrd<\/initrd>/);
  match(text, /<ioapic driver="qemu"\/>/);
  match(xml([]), /<vcpu current="1">2<\/vcpu>/);
  match(xml(["--hugepages", "/dev/hugepages"]), /<memoryBacking><hugepages\/><\/memoryBacking>/);
  match(xml(["--numa-node", "0"]), /<numatune><memory mode="strict" nodeset="0"\/><\/numatune>/);
  match(xml(["--hotplug", "1"]), /<qemu:arg value="pcie-root-port,id=culvert-slot1,/);
});

Deno.test("libvirtText() escapes what XML would take for its own", () => {
  const text = xml(["--append", 'a="<&>"', "--qemu-arg", "<&'\">"]);
  match(text, /a=&quot;&lt;&amp;&gt;&quot; /);
  match(text, /<qemu:arg value="&lt;&amp;'&quot;&gt;"\/>/);
});

Deno.test("libvirtText() makes a document for each guest", () => {
  const text = libvirtText(launches(["--guest", "0", "--guest", "1", "--libvirt"]));
  for (const guest of [0, 1]) ok(text.includes(`<name>culvert-culvert0-guest${guest}</name>`));
  strictEqual(text.match(/<domain /g)?.length, 2);
});
