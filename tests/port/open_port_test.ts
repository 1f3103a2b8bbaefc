import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { COUNTER } from "../../app/port/counters.ts";
import { joinLinks } from "../../app/port/link_port.ts";
import { makePort, openPort } from "../../app/port/open_port.ts";
import { parsePortSpec } from "../../app/port/port_spec.ts";
import { PortLab } from "./port_lab.ts";
import { Burst } from "../../app/ring/burst.ts";

const MTU = 1500;

/** Open the port that `text` names. */
function open(text: string, mtu = MTU) {
  return openPort(parsePortSpec(text), mtu);
}

for (
  const [text, name, frameBytes] of [
    ["null", "null", 64],
    ["null:", "null", 64],
    ["null:0", "null:0", 0],
    ["null:14", "null:14", 14],
    ["null:1514", "null:1514", 1514],
    ["ring", "ring", 64],
    ["ring:loop", "ring:loop", 64],
    ["link:ab", "link:ab", 64],
  ] as const
) {
  Deno.test(`openPort("${text}") is called "${name}", its frames have ${frameBytes} bytes`, () => {
    const { setup } = open(text);
    deepEqual(setup, { kind: text.split(":")[0], name, frameBytes });
    deepEqual(structuredClone(setup), setup);
  });
}

for (const bytes of ["1", "13", "1515", "-64", "64.5", "abc", "64x", "NaN", "Infinity"]) {
  Deno.test(`openPort("null:${bytes}") is refused`, () => {
    throws(() => open(`null:${bytes}`), {
      name: "UsageError",
      message:
        `Cannot use port null:${bytes} as that is no frame length: 0 (none), or 14 to 1514 bytes`,
    });
  });
}

Deno.test("openPort() lets the frames of a null port be as long as the MTU says", () => {
  equal(open("null:9014", 9000).setup.name, "null:9014");
  throws(() => open("null:9015", 9000), { message: /14 to 9014 bytes$/ });
});

Deno.test("openPort() gives each port in memory a MAC address of its own, locally administered", () => {
  const macs = Array.from({ length: 600 }, (_, i) => open(["null", "ring", "link:x"][i % 3]).mac);
  equal(new Set(macs.map((mac) => mac.toHex())).size, 600);
  for (const mac of macs) {
    equal(mac.length, 6);
    equal(mac[0] & 3, 2, "a local unicast address");
  }
});

Deno.test("openPort() refuses a packet port on an interface that is not there", () => {
  throws(() => open("packet:culvert-none"), {
    name: "CulvertError",
    message: "Cannot open port packet:culvert-none as there is no such interface in this network " +
      "namespace: `ip link` lists them",
  });
});

for (const name of ["culvert-no@none", "culvert-no@longer-than-15"]) {
  Deno.test(`openPort() of ${name} says what to write, as ip link shows the peer, too`, () => {
    throws(() => open(`packet:${name}`), {
      name: "CulvertError",
      message: /: write culvert-no, as what `ip link` shows behind @ is another's name$/,
    });
  });
}

for (const kind of ["tap", "packet"]) {
  for (const name of ["x".repeat(16), "a b", "a/b", "tap%d", "."]) {
    Deno.test(`openPort("${kind}:${name}") is refused, as that can be no interface`, () => {
      throws(() => open(`${kind}:${name}`), {
        name: "CulvertError",
        message: `Cannot use interface "${name}" as no interface can have that name: ` +
          "1 to 15 characters, no space, no slash",
      });
    });
  }

  Deno.test(`openPort("${kind}:lo") is refused, as that is not Ethernet`, () => {
    throws(() => open(`${kind}:lo`), {
      name: "CulvertError",
      message: /^Cannot use interface lo as it is not Ethernet \(ARPHRD type 772\): /,
    });
  });
}

Deno.test("makePort() makes a null port that makes frames of the length that was named", () => {
  using lab = new PortLab(64);
  const port = makePort(open("null:100").setup, lab);
  equal(port.name, "null:100");
  equal(port.rxBurst(Burst.of(32), 32), 32);
  equal(lab.counters[COUNTER.RX_BYTES], 3200);
});

Deno.test("makePort() makes a ring port that receives what it is sent", () => {
  using lab = new PortLab(64);
  const port = makePort(open("ring:x").setup, lab);
  const burst = Burst.of(32);
  equal(lab.mempool.allocBulk(burst, 32), 32);
  equal(port.name, "ring:x");
  equal(port.rxBurst(Burst.of(32), 32), 0);
  equal(port.txBurst(burst, 32), 32);
  equal(port.rxBurst(burst, 32), 32);
  ok(port.isUp);
});

Deno.test("makePort() makes the two ends of a link, to be joined", () => {
  using lab = new PortLab(64);
  const ends = [0, 1].map(() => makePort(open("link:ab").setup, lab));
  joinLinks(ends);
  const burst = Burst.of(32);
  equal(lab.mempool.allocBulk(burst, 32), 32);
  equal(ends[0].txBurst(burst, 32), 32);
  equal(ends[1].rxBurst(burst, 32), 32);
  equal(ends[1].name, "link:ab");
});
