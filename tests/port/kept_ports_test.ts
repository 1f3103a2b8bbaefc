import { deepEqual, equal, notEqual, throws } from "node:assert/strict";
import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { closeLent, KeptPorts } from "../../app/port/kept_ports.ts";
import { type OpenedPort, type PortSetup, setupsOf } from "../../app/port/open_port.ts";
import { fileTest, Folder } from "../ffi/folder.ts";
import { parsePortSpec, portText } from "../../app/port/port_spec.ts";

const TAP = parsePortSpec("tap:t0");

/** Opens ports of which nothing is real but a descriptor, and tells what became of them. */
function fakes() {
  const opened: string[] = [], restored: string[] = [], fds: number[] = [];
  const open = (spec: typeof TAP): OpenedPort => {
    const name = portText(spec);
    if (name === "tap:bad") throw new Error("refused");
    opened.push(name);
    const setups = Array.from({ length: spec.queues ?? 1 }, (): PortSetup => {
      const fd = check(shim.shim_eventfd(), "make an eventfd");
      fds.push(fd);
      return { kind: "tap", name: spec.name, index: 1, fd, mtu: 1500, created: true };
    });
    return {
      setup: setups[0],
      others: setups.slice(1),
      mac: new Uint8Array(6),
      look: () => undefined,
      restore: () => restored.push(name),
    };
  };
  return { ports: new KeptPorts(open), opened, restored, fds };
}

function fdOf({ setup }: Pick<OpenedPort, "setup">): number {
  return setup.kind === "tap" ? setup.fd : -1;
}

Deno.test("KeptPorts lends and closes the descriptors of all queues", () => {
  const { ports, fds } = fakes();
  const lent = ports.lend(parsePortSpec("tap:t0,queues=3"), 1500);
  const all = setupsOf(lent).map((setup) => fdOf({ setup }));
  equal(new Set([...fds, ...all]).size, 6);
  all.forEach((fd, queue) => equal(shim.shim_fd_same(fd, fds[queue]), 1));
  closeLent(lent);
  ports.keepOnly([]);
  for (const fd of [...fds, ...all]) notEqual(shim.shim_fd_same(fd, fd), 1, "it is closed");
});

Deno.test("KeptPorts opens a port once, and lends descriptors of its own each time", () => {
  const { ports, opened, restored, fds } = fakes();
  const [first, second] = [ports.lend(TAP, 1500), ports.lend(TAP, 1500)];
  deepEqual(opened, ["tap:t0"]);
  equal(new Set([...fds, fdOf(first), fdOf(second)]).size, 3);
  for (const lent of [first, second]) {
    equal(shim.shim_fd_same(fdOf(lent), fds[0]), 1);
    deepEqual("kept" in lent.setup && lent.setup.kept, fds, "what a port is to keep up to date");
    lent.restore();
    shim.shim_fd_close(fdOf(lent));
  }
  deepEqual(restored, [], "the interface stays as it is until the port is closed for good");
  ports.keepOnly([]);
  deepEqual(restored, ["tap:t0"]);
  notEqual(shim.shim_fd_same(fds[0], fds[0]), 1, "it is closed");
});

fileTest("KeptPorts opens the files of a pcap port once", () => {
  using folder = new Folder();
  const ports = new KeptPorts();
  const spec = parsePortSpec(`pcap:,w=${folder.path}/out.pcapng`);
  const setups = [ports.lend(spec, 1500), ports.lend(spec, 1500)].map(({ setup }) => setup);
  const fds = setups.map((setup) => setup.kind === "pcap" ? setup.fd : -1);
  notEqual(fds[0], fds[1]);
  equal(shim.shim_fd_same(fds[0], fds[1]), 1);
  fds.forEach((fd) => shim.shim_fd_close(fd));
  ports.keepOnly([]);
  const anew = ports.lend(spec, 1500);
  closeLent(anew);
  ports.keepOnly([]);
});

Deno.test("KeptPorts keeps what is named, and opens again what was closed", () => {
  const { ports, opened, restored } = fakes();
  const other = parsePortSpec("tap:t1");
  ports.prepare([TAP, other], 1500);
  ports.keepOnly([TAP]);
  deepEqual(restored, ["tap:t1"]);
  ports.prepare([TAP, other], 1500);
  deepEqual(opened, ["tap:t0", "tap:t1", "tap:t1"]);
  throws(() => ports.prepare([parsePortSpec("tap:bad")], 1500), /refused/);
  ports.keepOnly([]);
});

for (
  const text of [
    "tap:t",
    "packet:e",
    "packet:e,visible",
    "packet:e,visible,queues=2",
    "tap:t,queues=32",
    "xdp:e,generic",
    "null",
    "null:0",
    "ring:r",
  ]
) {
  Deno.test(`portText() writes ${text} as parsePortSpec() reads it`, () => {
    equal(portText(parsePortSpec(text)), text);
  });
}
