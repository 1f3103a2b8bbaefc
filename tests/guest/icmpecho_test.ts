import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { GuestLab, macOf, someFrame } from "./guest_lab.ts";
import { putChecksum, slowSum } from "../kit/slow_checksum.ts";

const ASKING_MAC = Uint8Array.of(0x52, 0x54, 0, 1, 2, 3);
const ASKED_MAC = Uint8Array.of(2, 0, 0, 0, 0, 9);
const BROADCAST = new Uint8Array(6).fill(0xff);
const ASKING_IP = Uint8Array.of(10, 1, 0, 1);
const ASKED_IP = Uint8Array.of(10, 1, 0, 2);
const MTU = 1500;

/** An ARP packet for IPv4 over Ethernet (RFC 826), from sender's to target's addresses. */
function arp(operation: number, ...addresses: Uint8Array[]): number[] {
  return [0, 1, 8, 0, 6, 4, 0, operation, ...addresses.flatMap((address) => [...address])];
}

function ethernet(to: Uint8Array, from: Uint8Array, type: number, payload: Iterable<number>) {
  return Uint8Array.of(...to, ...from, type >>> 8, type & 0xff, ...payload);
}

const ARP_REQUEST = ethernet(
  BROADCAST,
  ASKING_MAC,
  0x0806,
  [...arp(1, ASKING_MAC, ASKING_IP, new Uint8Array(6), ASKED_IP), ...new Uint8Array(18)],
);

interface Echo {
  type?: number;
  code?: number;
  protocol?: number;
  options?: number[];
  rest?: Uint8Array;
}

/** An IPv4 packet with an ICMP message: 4 bytes and `rest`, identifier and number and data. */
function echo(from: Uint8Array, to: Uint8Array, packet: Echo): Uint8Array {
  const { type = 8, code = 0, protocol = 1, options = [], rest = new Uint8Array(36) } = packet;
  const message = putChecksum(Uint8Array.of(type, code, 0, 0, ...rest), 2);
  const bytes = 20 + options.length + message.length;
  const header = Uint8Array.of(
    ...[0x45 + options.length / 4, 0, bytes >>> 8, bytes & 0xff, 0x12, 0x34, 0x40, 0],
    ...[64, protocol, 0, 0, ...from, ...to, ...options],
  );
  return Uint8Array.of(...putChecksum(header, 10), ...message);
}

function echoRequest(packet: Echo = {}): Uint8Array {
  return ethernet(ASKED_MAC, ASKING_MAC, 0x0800, echo(ASKING_IP, ASKED_IP, packet));
}

function echoReply(packet: Echo = {}): Uint8Array {
  const reply = echo(ASKED_IP, ASKING_IP, { ...packet, type: 0 });
  return ethernet(ASKING_MAC, ASKED_MAC, 0x0800, reply);
}

/** What the mode makes of one frame; undefined if it drops it. */
async function answer(frame: Uint8Array, headroom = 128): Promise<Uint8Array | undefined> {
  using lab = new GuestLab();
  const sent = await lab.through("icmpecho", [frame], { headroom });
  deepEqual(lab.givenBack(), sent.length === 0 ? [0] : []);
  return sent[0];
}

for (const headroom of [128, 126]) {
  Deno.test(`icmpecho answers an ARP request that starts at byte ${headroom}`, async () => {
    const mac = macOf(0);
    deepEqual(
      await answer(ARP_REQUEST, headroom),
      ethernet(ASKING_MAC, mac, 0x0806, [
        ...arp(2, mac, ASKED_IP, ASKING_MAC, ASKING_IP),
        ...new Uint8Array(18),
      ]),
    );
  });

  Deno.test(`icmpecho answers an echo request that starts at byte ${headroom}`, async () => {
    deepEqual(await answer(echoRequest(), headroom), echoReply());
  });
}

Deno.test("icmpecho answers whatever an echo request carries, with the checksum that belongs to it", async () => {
  const bytes = (most: number) => fc.uint8Array({ minLength: 4, maxLength: most });
  await fc.assert(
    fc.asyncProperty(bytes(MTU - 24 - 8), fc.integer({ min: 0, max: 2 }), async (rest, words) => {
      const packet = { rest, options: Array(4 * words).fill(1) };
      const reply = (await answer(echoRequest(packet)))!;
      const icmp = 34 + 4 * words;
      equal(slowSum(reply.subarray(icmp)), 0xffff);
      const expected = echoReply(packet); // but for the checksum: 0 and 0xffff are one number
      for (const frame of [reply, expected]) frame[icmp + 2] = frame[icmp + 3] = 0;
      deepEqual(reply, expected);
    }),
    { numRuns: 60 },
  );
});

Deno.test("icmpecho gives a sound checksum where the carry matters", async () => {
  // All of the checksum's upper bytes, two of its lower, in bursts of 32.
  for (let high = 0; high < 256; high += 16) {
    using lab = new GuestLab();
    const requests = Array.from({ length: 32 }, (_, i) => {
      const rest = Uint8Array.of(high + (i >> 1), i % 2 === 0 ? 0 : 0xff, 0, 0);
      return echoRequest({ rest });
    });
    const replies = await lab.through("icmpecho", requests);
    deepEqual(replies.map((reply) => slowSum(reply.subarray(34))), Array(32).fill(0xffff));
  }
});

for (
  const [what, frame] of [
    ["an ARP reply", () => ARP_REQUEST.with(21, 2)],
    ["an ARP request of another kind", () => ARP_REQUEST.with(20, 1)],
    ["an ARP request that is cut short", () => ARP_REQUEST.subarray(0, 14 + 27)],
    ["an echo reply", () => echoRequest({ type: 0 })],
    ["another ICMP message", () => echoRequest({ type: 3 })],
    ["UDP", () => echoRequest({ protocol: 17 })],
    ["an echo request that is cut short", () => echoRequest().subarray(0, 14 + 27)],
    ["one with IPv4 options that is", () => echoRequest({ options: [1, 1, 1, 1] }).subarray(0, 45)],
    ["an IPv4 header too short to be one", () => echoRequest().with(14, 0x44).with(30, 8)],
    ["an IPv4 header longer than the frame", () => echoRequest().with(14, 0x4f)],
    ["IPv6", () => echoRequest().with(12, 0x86).with(13, 0xdd)],
    ["the shortest frame there is", () => someFrame(14)],
  ] as [string, () => Uint8Array][]
) {
  Deno.test(`icmpecho drops ${what}`, async () => {
    equal(await answer(frame()), undefined);
  });
}

Deno.test("icmpecho answers an echo request of 8 bytes, the shortest", async () => {
  const packet = { rest: Uint8Array.of(1, 2, 3, 4) };
  deepEqual(await answer(echoRequest(packet).subarray(0, 42)), echoReply(packet));
});

for (const pattern of ["+", "-", "+-", "-+", "--++", "+-+-+-+", "-++--+", "+---+---"]) {
  Deno.test(`icmpecho answers + and drops - of a burst: ${pattern}`, async () => {
    using lab = new GuestLab();
    const packets = [...pattern].map((_, i) => ({ rest: Uint8Array.of(0, i, 9, 9) }));
    const frames = packets.map((packet, i) =>
      pattern[i] === "+" ? echoRequest(packet) : someFrame(60, i)
    );
    const sent = await lab.through("icmpecho", frames);
    const answered = packets.filter((_, i) => pattern[i] === "+");
    deepEqual(sent, answered.map(echoReply));
    const dropped = [...pattern].flatMap((sign, i) => sign === "-" ? [i] : []);
    deepEqual(lab.givenBack().sort(), dropped);
  });
}
