import { deepEqual, throws } from "node:assert/strict";
import { parsePciDevices, requireIvshmem } from "../../app/linux/pci.ts";

// What a guest with two ivshmem devices showed: QEMU 7.2, machine q35, Linux 6.1. `|` stands for a
// tab.
const GUEST = `\
0000|808629c0|0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|
0008|1af41110|0|        fea40000|               0|        f800000c|               0|               0|               0|               0|             100|               0|         4000000|               0|               0|               0|               0|
0010|1af41000|b|            c041|        fea41000|               0|               0|        fc30000c|               0|        fea00000|              20|            1000|               0|               0|            4000|               0|           40000|
0018|1b36000c|17|        fea42000|               0|               0|               0|               0|               0|               0|            1000|               0|               0|               0|               0|               0|               0|pcieport
0030|1af41110|0|        fea43300|        fea45000|        fc20000c|               0|               0|               0|               0|             100|            1000|          100000|               0|               0|               0|               0|
00f8|80862918|0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|               0|
00fa|80862922|a|               0|               0|               0|               0|            c061|        fea44000|               0|               0|               0|               0|               0|              20|            1000|               0|
00fb|80862930|a|               0|               0|               0|               0|             701|               0|               0|               0|               0|               0|               0|              40|               0|               0|
`.replaceAll("|", "\t");

const LINES = GUEST.split("\n");
const [, IVSHMEM] = LINES;

/** As {@linkcode IVSHMEM}, elsewhere and of another size. */
function ivshmem(place: string, bytes: number, driver = ""): string {
  const fields = IVSHMEM.split("\t");
  fields[0] = place;
  fields[12] = bytes.toString(16).padStart(16);
  fields[17] = driver;
  return fields.join("\t");
}

Deno.test("parsePciDevices() finds the ivshmem devices among others, their memory, registers and interrupts", () => {
  deepEqual(parsePciDevices(GUEST), [
    { address: "0000:00:01.0", bytes: 64 << 20, hasInterrupts: false, registersOffset: 0 },
    { address: "0000:00:06.0", bytes: 1 << 20, hasInterrupts: true, registersOffset: 0x300 },
  ]);
});

Deno.test("parsePciDevices() finds none where there is none", () => {
  deepEqual(parsePciDevices(LINES.filter((line) => !line.includes("1af41110")).join("\n")), []);
  deepEqual(parsePciDevices(""), []);
});

for (
  const [place, address] of [
    ["0000", "0000:00:00.0"],
    ["0007", "0000:00:00.7"],
    ["0008", "0000:00:01.0"],
    ["00fb", "0000:00:1f.3"],
    ["0110", "0000:01:02.0"],
    ["ffff", "0000:ff:1f.7"],
  ]
) {
  Deno.test(`parsePciDevices() reads place ${place} as address ${address}`, () => {
    deepEqual(parsePciDevices(`${ivshmem(place, 4096)}\n`), [{
      address,
      bytes: 4096,
      hasInterrupts: false,
      registersOffset: 0,
    }]);
  });
}

Deno.test("parsePciDevices() gives devices in the order of their addresses, up to 4 GiB and more", () => {
  const text = [
    ivshmem("0128", 2 ** 32),
    ivshmem("0030", 2 ** 20, "vfio-pci"),
    ivshmem("0020", 2 ** 33),
  ];
  deepEqual(parsePciDevices(text.join("\n")), [
    { address: "0000:00:04.0", bytes: 2 ** 33, hasInterrupts: false, registersOffset: 0 },
    { address: "0000:00:06.0", bytes: 2 ** 20, hasInterrupts: false, registersOffset: 0 },
    { address: "0000:01:05.0", bytes: 2 ** 32, hasInterrupts: false, registersOffset: 0 },
  ]);
});

Deno.test("parsePciDevices() passes over devices whose id is only part of it, or elsewhere", () => {
  deepEqual(parsePciDevices(["0020\t11af41110\t0", "1af41110\t80861234\t1af41110"].join("\n")), []);
});

for (
  const address of ["", "first", "00:04.0", "0000:00:04", "0000:00:04.8", "0000:00:4.0", " auto"]
) {
  Deno.test(`requireIvshmem("${address}") is refused, as that is no address`, () => {
    throws(() => requireIvshmem(address), {
      name: "UsageError",
      message: `Cannot use --pci ${address} as it is no address: auto or 0000:00:04.0`,
    });
  });
}

Deno.test("requireIvshmem() of an address without an ivshmem device is refused", () => {
  throws(() => requireIvshmem("0000:ff:1f.7"), {
    name: "CulvertError",
    message:
      /^Cannot (find an ivshmem device \(1af4:1110\) at 0000:ff:1f\.7|read \/proc\/bus\/pci)/,
  });
});
