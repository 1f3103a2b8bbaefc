import { deepEqual, throws } from "node:assert/strict";
import { parsePortSpec, PORT_KINDS } from "../../app/port/port_spec.ts";

for (
  const [text, kind, name] of [
    ["tap:tap0", "tap", "tap0"],
    ["packet:eth1.100", "packet", "eth1.100"],
    ["packet:a:b", "packet", "a:b"],
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

for (const text of ["", ":", ":tap0", "tap0", "TAP:tap0", "tap tap0", "veth:a", "constructor:x"]) {
  Deno.test(`parsePortSpec() refuses "${text}", and says what kinds there are`, () => {
    const [kind] = text.split(":");
    throws(() => parsePortSpec(text), {
      name: "UsageError",
      message: `Cannot use port "${text}" as "${kind}" is no kind of port: tap:NAME, ` +
        "packet:IFACE, null[:BYTES], ring[:NAME] and link:NAME are",
    });
  });
}

for (const text of ["tap", "tap:", "packet", "packet:", "packet:,visible"]) {
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
