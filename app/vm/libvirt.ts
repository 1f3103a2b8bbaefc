/**
 * A guest as libvirt domain XML (https://libvirt.org/formatdomain.html).
 *
 * libvirt's `<shmem>` knows an ivshmem-doorbell by its server's socket, and an ivshmem-plain by a
 * name in /dev/shm and in whole mebibytes. A memfd, a file on hugetlbfs and empty slots with room
 * for a region go to QEMU as they are, by `<qemu:commandline>`.
 *
 * @module
 */

import type { RegionDevice } from "./devices.ts";
import { emptySlots, isNamedShm, ivshmemDevice } from "./devices.ts";
import type { Launch } from "./launch.ts";
import { kernelCommandLine, MEMORY_MIB, type QemuOptions } from "./qemu.ts";

const MIB = 1024 ** 2;

/**
 * The slot of pcie.0 for the first region. If libvirt chose slots, the regions would be behind a
 * bridge, in one IOMMU group, and in any order.
 */
const FIRST_SLOT = 0x10;

/** An element: its name, its attributes, and what is in it. */
interface Element {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly content: readonly Element[] | string;
}

const NOTE = `<!--
  Made by culvert qemu. libvirt's QEMU runs as a user of its own: start the host with the option
  "group" and that user's group. app/vm/README.md tells the rest. Leave out what your domain has.
-->
`;

/** Domain XML, a document for each VM. */
export function libvirtText(launches: readonly Launch[]): string {
  return launches.map((launch) => NOTE + textOf(domain(launch), "")).join("\n");
}

function domain({ guest, regions, options }: Launch): Element {
  const { accel = "tcg", memoryMiB = MEMORY_MIB, cpus = 1, doorbell = false } = options;
  const names = regions.map(({ region }) => region.slice(region.lastIndexOf("/") + 1));
  const raw = rawArguments(options);
  return element("domain", {
    type: accel === "kvm" ? "kvm" : "qemu",
    ...raw.length ? { "xmlns:qemu": "http://libvirt.org/schemas/domain/qemu/1.0" } : {},
  }, [
    element("name", {}, ["culvert", ...names, `guest${guest}`].join("-")),
    element("memory", { unit: "MiB" }, `${memoryMiB}`),
    ...memoryBacking(options),
    element("vcpu", { current: cpus }, `${Math.max(2, cpus)}`),
    ...options.numaNode === undefined ? [] : [
      element("numatune", {}, [
        element("memory", { mode: "strict", nodeset: options.numaNode }, []),
      ]),
    ],
    element("os", {}, [
      element("type", { arch: "x86_64", machine: "q35" }, "hvm"),
      element("kernel", {}, options.image.kernel),
      element("initrd", {}, options.image.initrd),
      element("cmdline", {}, kernelCommandLine(options)),
    ]),
    element("features", {}, [
      element("acpi", {}, []),
      element("apic", {}, []),
      // libvirt refuses intremap="on" without it, also where there is no KVM.
      ...doorbell ? [element("ioapic", { driver: "qemu" }, [])] : [],
      ...accel === "kvm" ? [] : [element("tcg", {}, [element("tb-cache", { unit: "MiB" }, "64")])],
    ]),
    processor(accel),
    element("on_reboot", {}, "destroy"),
    element("devices", {}, [
      ...doorbell
        ? [element("iommu", { model: "intel" }, [element("driver", { intremap: "on" }, [])])]
        : [],
      ...options.regions.flatMap((device, i) =>
        hasWords(device) ? [shmem(device, names[i], i, options.master ?? false)] : []
      ),
      element("serial", { type: "pty" }, []),
      element("memballoon", { model: "none" }, []),
    ]),
    ...raw.length
      ? [element("qemu:commandline", {}, raw.map((value) => element("qemu:arg", { value }, [])))]
      : [],
  ]);
}

/** As `-cpu` in `qemuArguments`. */
function processor(accel: "tcg" | "kvm"): Element {
  if (accel === "kvm") return element("cpu", { mode: "host-passthrough" }, []);
  return element(
    "cpu",
    { mode: "maximum" },
    ["erms", "fsrm"].map((name) => element("feature", { policy: "disable", name }, [])),
  );
}

function memoryBacking({ hugepages }: QemuOptions): Element[] {
  return hugepages === undefined
    ? []
    : [element("memoryBacking", {}, [element("hugepages", {}, [])])];
}

/** Whether libvirt can describe it: only whole mebibytes, at a server or in /dev/shm. */
function hasWords(device: RegionDevice): boolean {
  return "socket" in device || isNamedShm(device.file) && device.bytes >= MIB;
}

/** A device that {@linkcode hasWords}. */
function shmem(device: RegionDevice, name: string, index: number, isMaster: boolean): Element {
  const role = isMaster ? "master" : "peer";
  const place = { type: "pci", bus: "0x00", slot: slotOf(index), function: "0x0" };
  const address = element("address", place, []);
  if ("socket" in device) {
    return element("shmem", { name: name.replace(/\.sock$/, ""), role }, [
      element("model", { type: "ivshmem-doorbell" }, []),
      element("server", { path: device.socket }, []),
      element("msi", { vectors: device.vectors, ioeventfd: "on" }, []),
      address,
    ]);
  }
  return element("shmem", { name, role }, [
    element("model", { type: "ivshmem-plain" }, []),
    element("size", { unit: "M" }, `${device.bytes / MIB}`),
    address,
  ]);
}

function slotOf(index: number): string {
  return `0x${(FIRST_SLOT + index).toString(16)}`;
}

/** QEMU arguments for what libvirt has no words for. */
function rawArguments(options: QemuOptions): string[] {
  const { regions, master = false, slots = 0, extra = [] } = options;
  return [
    ...regions.flatMap((device, i) => {
      if (hasWords(device)) return [];
      const words = ivshmemDevice(device, i, master);
      return [...words.slice(0, -1), `${words.at(-1)},addr=${slotOf(i)}`];
    }),
    ...emptySlots(slots),
    ...extra,
  ];
}

function element(
  name: string,
  attributes: Element["attributes"],
  content: Element["content"],
): Element {
  return { name, attributes, content };
}

function textOf({ name, attributes, content }: Element, indent: string): string {
  const words = Object.entries(attributes).map(([key, value]) => ` ${key}="${escape(`${value}`)}"`);
  const open = `${indent}<${name}${words.join("")}`;
  if (typeof content === "string") return `${open}>${escape(content)}</${name}>\n`;
  if (content.length === 0) return `${open}/>\n`;
  const inside = content.map((child) => textOf(child, indent + "  ")).join("");
  return `${open}>\n${inside}${indent}</${name}>\n`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
