import { deepEqual, equal, rejects } from "node:assert/strict";
import * as acl from "../../app/guest/examples/acl.ts";
import * as napt from "../../app/guest/examples/napt.ts";
import * as rateLimit from "../../app/guest/examples/rate_limit.ts";
import * as sampler from "../../app/guest/examples/sampler.ts";
import * as synCounter from "../../app/guest/examples/syn_counter.ts";
import * as vlanRewrite from "../../app/guest/examples/vlan_rewrite.ts";
import { formatIpv4, ICMP, icmp, PROTOCOL, TCP_FLAG } from "../../app/function.ts";
import { frame, tryFunction } from "../../app/testing.ts";

/** Which of the frames are sent, under these rules. */
async function allowed(rules: string, frames: readonly Uint8Array[]): Promise<boolean[]> {
  const tried = await tryFunction(acl, frames, { set: { rules } });
  return tried.frames.map(({ what }) => what === "sent");
}

Deno.test("acl: the first rule that fits prefixes, port ranges and protocol decides", async () => {
  const rules = "allow udp from 10.0.0.0/8 to 192.0.2.2:50-59, deny ip from 10.1.0.0/16 to any," +
    "allow tcp from 10.0.0.0/8:1024-65535 to any:80, allow icmp from any to 192.0.2.2";
  deepEqual(
    await allowed(rules, [
      frame.udp({ sourceIp: "10.1.2.3", destinationPort: 50 }),
      frame.udp({ sourceIp: "10.1.2.3", destinationPort: 59 }),
      frame.udp({ sourceIp: "10.1.2.3", destinationPort: 60 }),
      frame.udp({ sourceIp: "11.1.2.3", destinationPort: 50 }),
      frame.udp({ sourceIp: "10.1.2.3", destinationPort: 50, destinationIp: "192.0.2.3" }),
    ]),
    [true, true, false, false, false],
  );
  deepEqual(
    await allowed(rules, [
      frame.tcp({ sourceIp: "10.2.0.1" }),
      frame.tcp({ sourceIp: "10.2.0.1", sourcePort: 1023 }),
      frame.tcp({ sourceIp: "10.1.0.1" }),
      frame.tcp({ sourceIp: "10.2.0.1", destinationPort: 81 }),
      frame.icmpEcho(),
      frame.icmpEcho({ sourceIp: "10.1.0.1" }),
    ]),
    [true, false, false, false, true, false],
  );
});

Deno.test("acl: ARP passes, what is no IPv4 does not, and all IPv4 does without rules", async () => {
  deepEqual(await allowed("deny ip from any to any", [frame.arp(), frame.ethernet()]), [
    true,
    false,
  ]);
  const { frames } = await tryFunction(acl, [frame.udp(), frame.ipv4(), frame.ethernet()]);
  deepEqual(frames.map(({ what }) => what), ["sent", "sent", "dropped"]);
});

Deno.test("acl: a later fragment is denied by rules that deny its ports, and allowed by none that allows ports", async () => {
  const later = frame.ipv4({ protocol: PROTOCOL.UDP, payload: new Uint8Array(8) });
  later.set([0, 1], 20); // the offset is 8 bytes
  const all = "allow ip from any to any";
  deepEqual(await allowed(`deny udp from any to any:53, ${all}`, [later]), [false]);
  deepEqual(await allowed(`deny tcp from any to any:53, ${all}`, [later]), [true]);
  deepEqual(await allowed("allow udp from any to any:1-65535", [later]), [false]);
});

Deno.test("acl: a rule with a mistake is refused", async () => {
  for (
    const [rules, message] of [
      ["allow sctp from any to any", /Cannot use rule "allow sctp from any to any"/],
      ["allow icmp from any to any:80", /Cannot use rule "allow icmp/],
      ["allow ip from 10.0.0.1/8 to any", /Cannot use "10\.0\.0\.1\/8" as an IPv4 prefix/],
      ["allow tcp from any to any:80-70", /Cannot use ports 80 to 70/],
      ["allow tcp from any to any:70000", /Cannot use ports 70000 to 70000/],
    ] as const
  ) await rejects(tryFunction(acl, [], { set: { rules } }), { message });
});

/** How many of `count` packets pass that come every `step` milliseconds. */
async function passed(set: Record<string, string | number>, count: number, step: number) {
  const frames = Array.from({ length: count }, (_, k) => ({ bytes: frame.udp(), at: k * step }));
  const tried = await tryFunction(rateLimit, frames, { set });
  return tried.sent.length;
}

Deno.test("rate_limit: `burst` packets pass at once, then `rate` a second; ARP always passes", async () => {
  equal(await passed({ rate: 10, burst: 5 }, 20, 0), 5);
  equal(await passed({ rate: 10, burst: 1 }, 41, 25), 11, "10 a second of 40");
  equal(await passed({ rate: 0, burst: 3 }, 20, 1000), 3);
  const arp = await tryFunction(rateLimit, Array(9).fill(frame.arp()), { set: { burst: 1 } });
  equal(arp.sent.length, 9);
});

Deno.test("rate_limit: per=source, each source has a bucket of its own, for all time", async () => {
  const of = (sourceIp: string, at: number) => ({ bytes: frame.udp({ sourceIp }), at });
  const frames = [0, 0, 0, 60_000, 60_000].flatMap((
    at,
  ) => [of("200.0.2.1", at), of("10.2.3.4", at)]);
  const set = { rate: 1, burst: 1, per: "source" };
  const tried = await tryFunction(rateLimit, frames, { set });
  deepEqual(tried.sent.map(({ frame }) => frame), [0, 1, 6, 7]);
  await rejects(tryFunction(rateLimit, [], { set: { per: "port" } }), /per=port/);
});

Deno.test("syn_counter: logs the ten sources of most SYNs, and counts all of them", async () => {
  const frames = Array.from(
    { length: 12 },
    (_, k) =>
      Array.from({ length: 12 - k }, () => frame.tcp({ sourceIp: formatIpv4(0xc8000201 + k) })),
  ).flat();
  const others = [frame.tcp({ flags: TCP_FLAG.SYN | TCP_FLAG.ACK }), frame.udp(), frame.arp()];
  const { log, counters, sent } = await tryFunction(synCounter, [...frames, ...others], {
    until: 25_000,
  });
  const top = Array.from({ length: 10 }, (_, k) => `200.0.2.${k + 1} ${12 - k}`).join(", ");
  deepEqual(log, [`TCP SYN: ${top}`], "once: the next ten seconds had none");
  equal(counters["TCP SYN"], 78);
  equal(sent.length, 81, "it only looks");
});

/** What {@linkcode napt} sends of frames, in order; none of those that it drops. */
async function translated(frames: readonly { bytes: Uint8Array; port?: number; at?: number }[]) {
  const set = { address: "203.0.113.1" };
  const tried = await tryFunction(napt, frames, { set });
  return tried.frames.map(({ bytes }) => bytes);
}

const OUTER = { sourceIp: "203.0.113.1" };

for (
  const [name, make] of [
    ["UDP", (f) => frame.udp({ destinationPort: 53, ...f })],
    ["TCP", (f) => frame.tcp(f)],
  ] as [string, typeof frame.udp][]
) {
  Deno.test(`napt: ${name} gets the outer address and a port of its own, and back, with right checksums`, async () => {
    const [one, two, again, answer, stray] = await translated([
      { bytes: make({ sourceIp: "10.0.0.1", sourcePort: 5000 }) },
      { bytes: make({ sourceIp: "10.0.0.2", sourcePort: 5000 }) },
      { bytes: make({ sourceIp: "10.0.0.1", sourcePort: 5000 }) },
      { bytes: make({ destinationIp: "203.0.113.1", destinationPort: 1025 }), port: 1 },
      { bytes: make({ destinationIp: "203.0.113.1", destinationPort: 1026 }), port: 1 },
    ]);
    deepEqual(one, make({ ...OUTER, sourcePort: 1024 }));
    deepEqual(two, make({ ...OUTER, sourcePort: 1025 }));
    deepEqual(again, one);
    deepEqual(answer, make({ destinationIp: "10.0.0.2", destinationPort: 5000 }));
    equal(stray, undefined);
  });
}

/** An ICMP error about a packet: it quotes `bytes` of it, without Ethernet header. */
function errorAbout(packet: Uint8Array, bytes: number, fields: Partial<Record<string, string>>) {
  const echo = frame.icmpEcho({
    ...fields,
    identifier: 0,
    sequence: 0,
    payload: packet.slice(14, 14 + bytes),
  });
  return tryFunction((burst) => {
    icmp.setType(burst, 0, 34, ICMP.UNREACHABLE);
  }, [echo]).then(({ sent }) => sent[0].bytes);
}

for (
  const [name, inner, outer, quoted] of [
    [
      "UDP, all of it",
      frame.udp({ sourceIp: "10.0.0.1", sourcePort: 6000 }),
      frame.udp({ ...OUTER, sourcePort: 1024 }),
      46,
    ],
    [
      "an ICMP echo",
      frame.icmpEcho({ sourceIp: "10.0.0.1", identifier: 7 }),
      frame.icmpEcho({ ...OUTER, identifier: 1024 }),
      28,
    ],
  ] as const
) {
  Deno.test(`napt: an ICMP error that quotes ${name} reaches the sender, as if about what it sent`, async () => {
    const router = { sourceIp: "198.51.100.9" };
    const to = await errorAbout(outer, quoted, { ...router, destinationIp: "203.0.113.1" });
    const [sent, error] = await translated([{ bytes: inner }, { bytes: to, port: 1 }]);
    deepEqual(sent, outer);
    deepEqual(error, await errorAbout(inner, quoted, { ...router, destinationIp: "10.0.0.1" }));
  });
}

Deno.test("napt: of TCP an ICMP error quotes 8 bytes, without its checksum; and errors go out, too", async () => {
  const tcp = (fields: Parameters<typeof frame.tcp>[0]) => frame.tcp({ ...fields });
  const sent = tcp({ sourceIp: "10.0.0.8", sourcePort: 5000 });
  const router = { sourceIp: "198.51.100.9", destinationIp: "203.0.113.1" };
  const outer = tcp({ ...OUTER, sourcePort: 1024 });
  const toOuter = await errorAbout(outer, 28, router);
  const answer = { sourceIp: "192.0.2.2", sourcePort: 80 };
  const inward = tcp({ ...answer, destinationIp: "10.0.0.8", destinationPort: 5000 });
  const fromInner = await errorAbout(inward, 28, {
    sourceIp: "10.0.0.8",
    destinationIp: "192.0.2.2",
  });
  const [, toInner, toPeer] = await translated([
    { bytes: sent },
    { bytes: toOuter, port: 1 },
    { bytes: fromInner },
  ]);
  deepEqual(toInner, await errorAbout(sent, 28, { ...router, destinationIp: "10.0.0.8" }));
  const outward = tcp({ ...answer, destinationIp: "203.0.113.1", destinationPort: 1024 });
  deepEqual(
    toPeer,
    await errorAbout(outward, 28, { sourceIp: "203.0.113.1", destinationIp: "192.0.2.2" }),
  );
});

Deno.test("napt: a flow ends when it is silent for too long, and lives on in the next version", async () => {
  const out = { bytes: frame.icmpEcho({ sourceIp: "10.0.0.3", identifier: 9 }) };
  const answer = (at: number) => {
    const to = { destinationIp: "203.0.113.1", identifier: 1024, reply: true };
    return { bytes: frame.icmpEcho(to), port: 1, at };
  };
  const [first, ...answers] = await translated([
    out,
    answer(50_000),
    answer(109_000),
    answer(170_100),
  ]);
  deepEqual(first, frame.icmpEcho({ ...OUTER, identifier: 1024 }));
  deepEqual(answers.map((bytes) => bytes !== undefined), [true, true, false]);
  const next = {
    ...napt,
    setup(context: Parameters<typeof napt.setup>[0]) {
      const run = napt.setup(context);
      napt.restore([{ protocol: 1, ip: 0x0a000004, port: 3, outer: 1024, seen: 0 }]);
      return run;
    },
  };
  const { sent } = await tryFunction(next, [answer(0)], { set: { address: "203.0.113.1" } });
  const restored = frame.icmpEcho({ destinationIp: "10.0.0.4", identifier: 3, reply: true });
  deepEqual(sent.map(({ bytes }) => bytes), [restored]);
  deepEqual(napt.save().map(({ outer, ip }) => [outer, ip]), [[1024, 0x0a000004]]);
});

Deno.test("sampler: every Nth frame is copied to a port, and goes on", async () => {
  const frames = Array.from({ length: 10 }, (_, k) => frame.udp({ sourcePort: 1000 + k }));
  const set = { every: 4, port: 2 };
  const tried = await tryFunction(sampler, frames, { ports: 3, set });
  deepEqual(tried.frames.map(({ port }) => port), Array(10).fill(1));
  const samples = tried.sent.filter(({ port }) => port === 2).map(({ bytes }) => bytes);
  deepEqual(samples, [frames[3], frames[7]]);
  equal(tried.counters["samples"], 2);
  await rejects(tryFunction(sampler, [], { set: { port: 7 } }), /port 7/);
});

Deno.test("vlan_rewrite: numbers, added and removed tags, both ways; other VLANs are dropped", async () => {
  const plain = frame.udp();
  const tagged = (id: number) => frame.vlan(plain, { id, priority: id === 30 ? 0 : 5 });
  const tried = await tryFunction(vlanRewrite, [
    ...[tagged(10), plain, tagged(40), tagged(20)].map((bytes) => ({ bytes, port: 0 })),
    ...[tagged(20), tagged(30), tagged(10), plain].map((bytes) => ({ bytes, port: 1 })),
  ], { set: { map: "10:20, none:30, 40:41" } });
  deepEqual(tried.frames.map(({ bytes }) => bytes), [
    ...[tagged(20), tagged(30), tagged(41), undefined],
    ...[tagged(10), plain, undefined, undefined],
  ]);
  await rejects(tryFunction(vlanRewrite, [], { set: { map: "10:4095" } }), /"4095" as a VLAN/);
});
