import { deepEqual, equal, throws } from "node:assert/strict";
import {
  formatIpv4,
  ipv4,
  type Ipv4Rule,
  Ipv4Rules,
  parseIpv4,
  parseIpv4Prefix,
  PROTOCOL,
} from "../../app/function.ts";
import { frame, tryFunction } from "../../app/testing.ts";
import { newSeed, Random } from "../kit/random.ts";

/** What one packet is, as far as rules ask. */
interface Packet {
  protocol: number;
  sourceIp: string;
  destinationIp: string;
  sourcePort: number;
  destinationPort: number;
}

/** What a rule means, said plainly. */
function fits(rule: Ipv4Rule, packet: Packet): boolean {
  const isIn = (prefix: Ipv4Rule["source"], ip: string) =>
    prefix === undefined || (parseIpv4(ip) & prefix.mask) >>> 0 === prefix.address;
  const hasPorts = packet.protocol === PROTOCOL.TCP || packet.protocol === PROTOCOL.UDP;
  const isPort = (ports: Ipv4Rule["sourcePorts"], port: number) =>
    ports === undefined || hasPorts && port >= ports[0] && port <= ports[1];
  return (rule.protocol ?? packet.protocol) === packet.protocol &&
    isIn(rule.source, packet.sourceIp) && isIn(rule.destination, packet.destinationIp) &&
    isPort(rule.sourcePorts, packet.sourcePort) &&
    isPort(rule.destinationPorts, packet.destinationPort);
}

function frameOf(packet: Packet): Uint8Array {
  if (packet.protocol === PROTOCOL.TCP) return frame.tcp(packet);
  if (packet.protocol === PROTOCOL.UDP) return frame.udp(packet);
  return packet.protocol === PROTOCOL.ICMP ? frame.icmpEcho(packet) : frame.ipv4(packet);
}

/** What `first()` and `firstOfEach()` give for each frame: they have to agree. */
async function firsts(rules: readonly Ipv4Rule[], frames: readonly Uint8Array[]) {
  const table = new Ipv4Rules(rules), found: number[] = [];
  await tryFunction((burst) => {
    const each = table.firstOfEach(burst);
    for (let i = 0; i < burst.count; i++) {
      const at = ipv4.at(burst, i);
      const first = at < 0 ? Ipv4Rules.NO_PACKET : table.first(burst, i, at);
      equal(each[i], first, `frame ${i} of the burst`);
      found.push(first);
    }
  }, frames);
  return found;
}

Deno.test("Ipv4Rules finds what going through the rules one by one finds", async () => {
  const seed = newSeed(), random = new Random(seed);
  const octet = () => random.pick([0, 1, 10, 128, 255]);
  const ip = () => `${random.pick([10, 192])}.${octet()}.${octet()}.${octet()}`;
  const port = () => random.pick([0, 1, 80, 443, 1024, 65_535]);
  const protocol = () => random.pick([PROTOCOL.TCP, PROTOCOL.UDP, PROTOCOL.ICMP, 99]);
  const maybe = <T>(value: T) => random.below(3) > 0 ? value : undefined;
  const prefix = () => {
    const bits = random.pick([0, 1, 8, 9, 15, 16, 17, 24, 32]);
    const address = bits === 0 ? 0 : (parseIpv4(ip()) & -1 << 32 - bits) >>> 0;
    return parseIpv4Prefix(`${formatIpv4(address)}/${bits}`);
  };
  const range = (): [number, number] => {
    const [a, b] = [port(), port()];
    return a < b ? [a, b] : [b, a];
  };
  const used = new Set<number>();
  for (const count of [0, 1, 31, 32, 33, 64, 200]) {
    const rules = Array.from({ length: count }, (): Ipv4Rule => ({
      protocol: maybe(protocol()),
      source: maybe(prefix()),
      destination: maybe(prefix()),
      sourcePorts: maybe(range()),
      destinationPorts: maybe(range()),
    }));
    const packets = Array.from({ length: 300 }, (): Packet => ({
      protocol: protocol(),
      ...{ sourceIp: ip(), destinationIp: ip(), sourcePort: port(), destinationPort: port() },
    }));
    const expected = packets.map((packet) => rules.findIndex((rule) => fits(rule, packet)));
    const found = await firsts(rules, packets.map(frameOf));
    deepEqual(found, expected, `seed ${seed}`);
    for (const rule of expected) used.add(rule);
  }
  equal(used.size > 9, true, `only rules ${[...used]} were found with seed ${seed}`);
});

Deno.test("Ipv4Rules: ports that cannot be seen fit rules without ports, and `orUnseenPorts`", async () => {
  const rules: Ipv4Rule[] = [
    { protocol: PROTOCOL.UDP, destinationPorts: [0, 65_535] },
    { protocol: PROTOCOL.UDP, sourcePorts: [7, 7], orUnseenPorts: true },
    {},
  ];
  const later = frame.udp();
  later[21] = 1; // the fragment's offset is 8 bytes
  const cut = frame.ipv4({ protocol: PROTOCOL.UDP, payload: new Uint8Array(3) });
  const tagged = frame.vlan(frame.udp(), { id: 7 });
  const options = frame.udp({ destinationPort: 7 });
  options[14] = 0x46; // what was the ports is an option, what was length and checksum are the ports
  const frames = [frame.udp(), later, cut, frame.icmpEcho(), options, tagged, frame.arp()];
  deepEqual(await firsts(rules, frames), [0, 1, 1, 2, 0, 0, Ipv4Rules.NO_PACKET]);
  deepEqual(await firsts([{ destinationPorts: [7, 7] }], [options]), [-1]);
});

Deno.test("Ipv4Rules: more rules than answers are kept for", async () => {
  const ipOf = (k: number) => `10.0.${k >>> 8}.${k & 0xff}`;
  const rules = Array.from({ length: 1100 }, (_, k): Ipv4Rule => ({
    destination: parseIpv4Prefix(ipOf(k)),
    sourcePorts: [k, k],
    destinationPorts: [k, k],
  }));
  const frames = [0, 1099, 700, 1100].map((k) =>
    frame.tcp({ destinationIp: ipOf(k), sourcePort: k, destinationPort: k })
  );
  deepEqual(await firsts(rules, frames), [0, 1099, 700, -1]);
});

Deno.test("Ipv4Rules keeps apart what differs in addresses alone", async () => {
  const octets = Array.from({ length: 80 }, (_, k) => k);
  const rules = octets.map((k) => ({ source: parseIpv4Prefix(`10.${k}.0.${k}`) }));
  const frames = octets.flatMap((a) =>
    octets.map((b) => frame.udp({ sourceIp: `10.${a}.0.${b}` }))
  );
  const expected = octets.flatMap((a) => octets.map((b) => a === b ? a : -1));
  deepEqual(await firsts(rules, frames), expected);
});

Deno.test("Ipv4Rules keeps packets apart though 2^33 different ones are too many to number", async () => {
  // 2046 values, and those below and above, are 2048 sets a field: the third one's numbers have
  // the factor 2^22, and sets that are 1024 apart would have the same number as an int32.
  const values = Array.from({ length: 2046 }, (_, k) => `${k + 1 >>> 8}.${k + 1 & 0xff}`);
  const rules = values.map((value): Ipv4Rule => ({
    source: parseIpv4Prefix(`${value}.${value}`),
    destination: parseIpv4Prefix(`${value}.0.0/16`),
  }));
  const frames = [7, 7 + 1024, 7].map((k) =>
    frame.udp({ sourceIp: `${values[7]}.${values[7]}`, destinationIp: `${values[k]}.0.1` })
  );
  deepEqual(await firsts(rules, frames), [7, -1, 7]);
});

Deno.test("Ipv4Rules keeps apart what differs in ports or protocol alone", async () => {
  const rules = Array.from({ length: 32 }, (_, k): Ipv4Rule => ({
    protocol: k % 2 === 0 ? PROTOCOL.TCP : PROTOCOL.UDP,
    sourcePorts: [2 * k, 2 * k + 3],
    destinationPorts: [64 - 2 * k, 65_535],
  }));
  const packets: Packet[] = [];
  for (let sourcePort = 0; sourcePort < 64; sourcePort++) {
    for (let destinationPort = 0; destinationPort < 64; destinationPort++) {
      for (const protocol of [PROTOCOL.TCP, PROTOCOL.UDP]) {
        const ips = { sourceIp: "10.0.0.1", destinationIp: "10.0.0.2" };
        packets.push({ protocol, ...ips, sourcePort, destinationPort });
      }
    }
  }
  const expected = packets.map((packet) => rules.findIndex((rule) => fits(rule, packet)));
  deepEqual(await firsts(rules, packets.map(frameOf)), expected);
});

Deno.test("Ipv4Rules.firstOfEach(): packets at odd words, and that are cut", async () => {
  const rules = new Ipv4Rules([{ protocol: PROTOCOL.UDP }]);
  const packet = frame.udp();
  const frames = [[0, 0, ...packet], [...packet, 0, 0], packet.subarray(0, 38)];
  let found: number[] = [];
  await tryFunction((burst) => {
    burst.adjust(0, 2);
    burst.adjust(1, 2);
    found = [...rules.firstOfEach(burst).subarray(0, burst.count)];
  }, frames.map((bytes) => Uint8Array.from(bytes)));
  deepEqual(found, [0, Ipv4Rules.NO_PACKET, Ipv4Rules.NO_PACKET]);
});

Deno.test("Ipv4Rules.first() does not look outside the frame", async () => {
  const rules = new Ipv4Rules([{}]);
  for (const at of [-1, 23, 1e6]) {
    await tryFunction((burst) => {
      throws(() => rules.first(burst, 0, at), /Cannot use 20 bytes at offset/);
    }, [frame.udp({ payload: new Uint8Array(0) })]);
  }
});
