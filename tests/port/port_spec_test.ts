import { deepEqual, throws } from "node:assert/strict";
import { parsePortSpec, PORT_KINDS } from "../../app/port/port_spec.ts";

for (
  const [text, kind, name] of [
    ["tap:tap0", "tap", "tap0"],
    ["packet:eth1.100", "packet", "eth1.100"],
    ["packet:a:b", "packet", "a:b"],
    ["xdp:eth1.100", "xdp", "eth1.100"],
    ["null", "null", ""],
    ["null:", "null", ""],
    ["null:0", "null", "0"],
    ["null:1500", "null", "1500"],
    ["ring", "ring", ""],
    ["ring:loop", "ring", "loop"],
    ["link:ab", "link", "ab"],
  ]
) {
  Deno.test(`parsePortSpec("${text}") is ${kind} "${name}"`, () => {
    deepEqual(parsePortSpec(text), { kind, name });
  });
}

Deno.test('parsePortSpec("packet:eth1,visible") is packet "eth1", visible', () => {
  const visible = { kind: "packet", name: "eth1", isVisible: true } as const;
  deepEqual(parsePortSpec("packet:eth1,visible"), visible);
  deepEqual(parsePortSpec("tap:tap0,visible"), { kind: "tap", name: "tap0,visible" });
});

Deno.test('parsePortSpec("xdp:eth1,native") is xdp "eth1", in that mode', () => {
  for (const mode of ["native", "generic"] as const) {
    deepEqual(parsePortSpec(`xdp:eth1,${mode}`), { kind: "xdp", name: "eth1", mode });
  }
});

Deno.test("parsePortSpec() reads how many queues a port has, behind or before other words", () => {
  const visible = { kind: "packet", name: "e", isVisible: true, queues: 4 } as const;
  deepEqual(parsePortSpec("tap:t,queues=2"), { kind: "tap", name: "t", queues: 2 });
  deepEqual(parsePortSpec("packet:e,queues=4,visible"), visible);
  deepEqual(parsePortSpec("packet:e,visible,queues=4"), visible);
  deepEqual(parsePortSpec("xdp:e,native,queues=2"), {
    ...{ kind: "xdp", name: "e", mode: "native", queues: 2 },
  });
  deepEqual(parsePortSpec("packet:e,queues=32"), { kind: "packet", name: "e", queues: 32 });
  deepEqual(parsePortSpec("packet:e,queues=1"), { kind: "packet", name: "e" });
});

for (const number of ["0", "33", "", "-1", "two", "1e1", "02", "2.5"]) {
  Deno.test(`parsePortSpec() refuses "tap:t,queues=${number}", and says how many may be`, () => {
    throws(() => parsePortSpec(`tap:t,queues=${number}`), {
      name: "UsageError",
      message: `Cannot use port "tap:t,queues=${number}" as "${number}" is no number of queues: ` +
        "1 to 32",
    });
  });
}

for (const text of ["pcap:in.pcap", "null", "null:64", "ring:r", "link:l"]) {
  Deno.test(`parsePortSpec() refuses queues of ${text}, which one lcore serves`, () => {
    const [kind] = text.split(":");
    throws(() => parsePortSpec(`${text},queues=2`), {
      name: "UsageError",
      message: `Cannot use port "${text},queues=2" as ${kind} ports are served by one lcore: ` +
        'leave out ",queues=2", which tap:, packet: and xdp: take',
    });
  });
}

for (const words of ["fast", "native,generic", "native,", ",", "NATIVE"]) {
  Deno.test(`parsePortSpec() refuses "xdp:eth1,${words}", and says what modes there are`, () => {
    throws(() => parsePortSpec(`xdp:eth1,${words}`), {
      name: "UsageError",
      message: `Cannot use port "xdp:eth1,${words}" as "${words}" is no mode of XDP: write ` +
        "xdp:eth1, xdp:eth1,native or xdp:eth1,generic",
    });
  });
}

for (const text of ["", ":", ":tap0", "tap0", "TAP:tap0", "tap tap0", "veth:a", "constructor:x"]) {
  Deno.test(`parsePortSpec() refuses "${text}", and says what kinds there are`, () => {
    const [kind] = text.split(":");
    throws(() => parsePortSpec(text), {
      name: "UsageError",
      message: `Cannot use port "${text}" as "${kind}" is no kind of port: tap:NAME, ` +
        "packet:IFACE, xdp:IFACE, null[:BYTES], ring[:NAME], link:NAME and pcap:FILE are",
    });
  });
}

for (const text of ["tap", "tap:", "packet", "packet:", "packet:,visible", "xdp", "xdp:,native"]) {
  Deno.test(`parsePortSpec() refuses "${text}", which names no interface`, () => {
    throws(() => parsePortSpec(text), {
      name: "UsageError",
      message: `Cannot use port "${text}" as it names no interface: write ${
        text.replace(/:.*/, "")
      }:NAME`,
    });
  });
}

for (const text of ["link", "link:"]) {
  Deno.test(`parsePortSpec() refuses "${text}", which names no link`, () => {
    throws(() => parsePortSpec(text), {
      name: "UsageError",
      message: `Cannot use port "${text}" as it names no link: write link:NAME`,
    });
  });
}

Deno.test("parsePortSpec() knows the kinds that PORT_KINDS lists", () => {
  deepEqual(PORT_KINDS.map((kind) => parsePortSpec(`${kind}:x`).kind), [...PORT_KINDS]);
});
