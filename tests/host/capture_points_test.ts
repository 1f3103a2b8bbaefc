import { deepEqual, equal, match, notEqual, ok, rejects } from "node:assert/strict";
import { LOST, RING_HEAD, SEEN, SESSIONS } from "../../app/capture/capture_area.ts";
import { CaptureSession } from "../../app/capture/capture_session.ts";
import { flagsWord, INBOUND, NO_DIRECTION, OUTBOUND, RECORD } from "../../app/capture/record.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { COUNTER } from "../../app/port/counters.ts";
import { NullPort } from "../../app/port/null_port.ts";
import { Burst } from "../../app/ring/burst.ts";
import { TestHost } from "./test_host.ts";

/** What a record says, and its frame's bytes. */
interface Told {
  readonly port: number;
  readonly direction: number;
  readonly reason: number;
  readonly wire: number;
  readonly bytes: Uint8Array;
  readonly time: bigint;
}

function claim(lab: TestHost, { snap = 128, ports = [0], pid = 4711, alive = true } = {}) {
  const isThere = () => alive;
  return CaptureSession.claim(lab.area, ports, snap, pid, isThere, () => {});
}

/** All that a session has. */
function drain(lab: TestHost, session: CaptureSession): Told[] {
  const found: Told[] = [];
  session.drain((words, at, length) => {
    const [captured, flags] = [words[at + RECORD.CAPTURED], words[flagsWord(at, length)]];
    equal(words[at], 6);
    equal(words[at + length / 4 - 1], length);
    equal(length, 44 + 4 * Math.ceil(captured / 4));
    const byte = 4 * (at + RECORD.BYTES);
    found.push({
      ...{ port: words[at + RECORD.PORT], direction: flags & 3, reason: flags >>> 16 },
      wire: words[at + RECORD.WIRE],
      bytes: lab.area.memory.u8.slice(byte, byte + captured),
      time: BigInt(words[at + RECORD.TIME_HIGH]) << 32n | BigInt(words[at + RECORD.TIME_LOW]),
    });
  }, () => {});
  return found;
}

/** Direction and reason of each. */
const ways = (told: readonly Told[]) => told.map(({ direction, reason }) => [direction, reason]);

Deno.test("A capture goes on while its host changes: ports keep their places, by name and guest", async () => {
  using first = new TestHost({ captured: true, places: { a: { 0: "p q", 1: "p" } } });
  const [p, q, other] = first.area.describe().map(({ point }) => point);
  const session = await claim(first, { ports: [p, q] });
  first.ports.q.waiting = 3;
  first.turns(3);
  first.end();
  const { generation } = first.area;
  using next = new TestHost({ captured: true, places: { a: { 0: "r q", 1: "p" } }, before: first });
  notEqual(first.area.generation, generation);
  deepEqual(next.area.describe().map(({ name, point }) => [name, point]), [
    ...[["r", 3], ["q", q], ["p", other]],
  ]);
  next.ports.q.waiting = next.ports.p.waiting = next.ports.r.waiting = 2;
  next.turns(3);
  deepEqual(drain(next, session).map(({ port }) => port), [q, q, q, q, q]);
  next.end();
  using last = new TestHost({ captured: true, places: { a: { 0: "p" } }, before: next });
  deepEqual(last.area.describe().map(({ point }) => point), [p], "it is back");
  last.ports.p.waiting = 4;
  last.turns(3);
  deepEqual(session.counted(0), { seen: 4, lost: 0 });
  session.close();
});

Deno.test("CapturePoint writes nothing while nobody captures", () => {
  using lab = new TestHost({ captured: true });
  lab.ports.p0.waiting = 10;
  lab.turns(3);
  for (let session = 0; session < SESSIONS; session++) {
    equal(lab.area.memory.u32[lab.area.ringByte(session, 0) / 4 + RING_HEAD.PENDING], 0);
    deepEqual([...lab.area.counts(session, 0)], [0, 0]);
  }
});

Deno.test("A capture has what a port receives and sends, with bytes, lengths and times", async () => {
  using lab = new TestHost({ captured: true, ports: 2 });
  lab.attach("r00");
  const session = await claim(lab, { ports: [0, 1], snap: 50 });
  lab.ports.p0.waiting = 5;
  lab.turns(3, () => lab.guests.r00.forward(0, 1));
  const told = drain(lab, session);
  deepEqual(ways(told), [
    ...Array(5).fill([INBOUND, 0]),
    ...Array(5).fill([OUTBOUND, 0]),
  ]);
  deepEqual(told.map(({ port }) => port), [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
  for (const { wire, bytes } of told) deepEqual([wire, bytes.length], [60, 50]);
  const now = BigInt(Date.now()) * 1_000_000n;
  for (const { time } of told) ok(time > now - 10_000_000_000n && time < now + 1_000_000_000n);
  deepEqual(session.counted(0), { seen: 5, lost: 0 });
  session.close();
  lab.ports.p0.waiting = 5;
  lab.turns(3, () => lab.guests.r00.forward(0, 1));
  deepEqual(drain(lab, session), []);
  lab.end();
});

Deno.test("A capture has the ports that it wants, and no others", async () => {
  using lab = new TestHost({ captured: true, ports: 2 });
  lab.attach("r00");
  const session = await claim(lab, { ports: [1] });
  lab.ports.p0.waiting = 5;
  lab.turns(3, () => lab.guests.r00.forward(0, 1));
  deepEqual(ways(drain(lab, session)), Array(5).fill([OUTBOUND, 0]));
});

Deno.test("A capture says why frames are dropped: no guest, its ring full, its own will, the port full", async () => {
  using lab = new TestHost({ captured: true, ringSize: 16 });
  const session = await claim(lab);
  lab.ports.p0.waiting = 3;
  lab.turn();
  deepEqual(ways(drain(lab, session)), Array(3).fill([INBOUND, COUNTER.NO_GUEST]));
  lab.attach("r00");
  lab.ports.p0.waiting = 20;
  lab.turn();
  deepEqual(ways(drain(lab, session)), [
    ...Array(16).fill([INBOUND, 0]),
    ...Array(4).fill([INBOUND, COUNTER.RING_FULL]),
  ]);
  const [{ rx, tx, giveback }] = lab.guests.r00.channels;
  const burst = Burst.of(16);
  equal(rx.dequeueBurst(burst, 16), 16);
  lab.ports.p0.takes = 3;
  burst.words[1] = dataWord(128, 13); // malformed
  tx.enqueueBurst(burst, 6);
  lab.turn();
  deepEqual(ways(drain(lab, session)), [
    [OUTBOUND, COUNTER.MALFORMED],
    ...Array(3).fill([OUTBOUND, 0]),
    ...Array(2).fill([OUTBOUND, COUNTER.TX_FULL]),
  ]);
  burst.words[13] = 0; // says that it is empty
  giveback.enqueueBurst(burst, 10, 6);
  lab.turn();
  deepEqual(ways(drain(lab, session)), Array(9).fill([NO_DIRECTION, COUNTER.GUEST]));
  lab.end();
});

Deno.test("What a guest says of an mbuf that it gives back shows a capture no byte beside it", async () => {
  using lab = new TestHost({ captured: true });
  lab.attach("r00");
  const session = await claim(lab, { snap: 65535 });
  const [{ rx, giveback }] = lab.guests.r00.channels;
  const lies = [dataWord(0, 65535), dataWord(2300, 69), dataWord(65535, 100), dataWord(0, 2368)];
  lab.ports.p0.waiting = lies.length;
  lab.turn();
  const burst = Burst.of(lies.length);
  equal(rx.dequeueBurst(burst, lies.length), lies.length);
  lies.forEach((word, i) => burst.words[2 * i + 1] = word);
  giveback.enqueueBurst(burst, lies.length);
  drain(lab, session);
  lab.turn();
  deepEqual(drain(lab, session).map(({ bytes }) => bytes.length), [0, 0, 0, 2368]);
  lab.end();
});

Deno.test("What a capture does not read is lost and counted, and forwarded all the same; then it goes on", async () => {
  using lab = new TestHost({ captured: true, makePort: (_, its) => new NullPort("n", 1500, its) });
  const session = await claim(lab, { snap: 1500 });
  lab.turns(300);
  const { seen, lost } = session.counted(0);
  equal(seen, lab.counters[0][COUNTER.RX]);
  ok(lost > 0 && lost < seen, `${lost} of ${seen}`);
  equal(drain(lab, session).length, seen - lost);
  for (let lap = 0; lap < 5; lap++) { // several times round the ring, across its end
    lab.turns(100);
    const told = drain(lab, session);
    equal(told.length, 3200);
    for (const { bytes } of told) equal(bytes.length, 1500);
  }
  equal(session.counted(0).lost, lost);
});

Deno.test("Several captures run at once, each with its own ports and lengths", async () => {
  using lab = new TestHost({ captured: true, ports: 2 });
  const [short, long] = [await claim(lab, { snap: 20 }), await claim(lab, { ports: [0, 1] })];
  lab.ports.p0.waiting = 2;
  lab.ports.p1.waiting = 3;
  lab.turn();
  deepEqual(drain(lab, short).map(({ bytes }) => bytes.length), [20, 20]);
  deepEqual(drain(lab, long).map(({ bytes }) => bytes.length), [60, 60, 60, 60, 60]);
  await claim(lab, { pid: 1 });
  await claim(lab, { pid: 2 });
  await rejects(claim(lab), (error: Error) => {
    match(error.message, /as 4 captures run there already, processes 4711, 4711, 1, 2: end one/);
    return true;
  });
  long.close();
  await claim(lab);
});

Deno.test("A place whose owner has died goes to the next, which sees nothing of the last", async () => {
  using lab = new TestHost({ captured: true });
  for (let pid = 1; pid <= SESSIONS; pid++) await claim(lab, { pid });
  lab.ports.p0.waiting = 7;
  lab.turn();
  const session = await claim(lab, { alive: false, pid: 9 });
  deepEqual(drain(lab, session), []);
  deepEqual(session.counted(0), { seen: 0, lost: 0 });
  lab.ports.p0.waiting = 2;
  lab.turn();
  equal(drain(lab, session).length, 2);
});

Deno.test("The host switches off a capture that has not beaten for ten seconds, until it beats again", async () => {
  using lab = new TestHost({ captured: true });
  const session = await claim(lab);
  const isOn = () => lab.area.memory.u32[lab.area.switchWord(0)] !== 0;
  /** An lcore that polls looks at the clock in each 32nd turn, and does so ten times a second. */
  const seconds = (count: number) => lab.turns(32 * 10 * count);
  seconds(9);
  session.step();
  seconds(9);
  equal(isOn(), true);
  seconds(3);
  equal(isOn(), false);
  session.step();
  equal(isOn(), true);
});

Deno.test("A capture at several lcores has their frames in the order of their times", async () => {
  using lab = new TestHost({ captured: true, ports: 3, lcores: 3 });
  const session = await claim(lab, { ports: [0, 1, 2] });
  for (let turn = 0; turn < 20; turn++) {
    for (const port of Object.values(lab.ports)) port.waiting = turn % 5;
    lab.turn();
  }
  const told = drain(lab, session);
  equal(told.length, 3 * 40);
  const times = told.map(({ time }) => time);
  deepEqual(times, times.toSorted((a, b) => Number(a - b)));
  equal(new Set(told.map(({ port }) => port)).size, 3);
});

Deno.test("Nonsense in the head of a ring harms no host", async () => {
  using lab = new TestHost({ captured: true });
  const session = await claim(lab);
  const head = lab.area.ringByte(0, 0) / 4;
  for (const value of [1, 0xffffffff, 0x80000003, 7, 1 << 23, 0xdeadbeef]) {
    for (const word of [RING_HEAD.PENDING, RING_HEAD.SNAP, RING_HEAD.CONSUMED]) {
      lab.area.memory.u32[head + word] = value;
      lab.ports.p0.waiting = 40;
      lab.turns(2);
    }
  }
  const counts = lab.area.counts(0, 0);
  equal(counts[SEEN], 6 * 3 * 40);
  ok(counts[LOST] <= counts[SEEN]);
  session.close();
  lab.end();
});

Deno.test("A capture leaves records out behind one whose length cannot be, and goes on", async () => {
  using lab = new TestHost({ captured: true });
  const session = await claim(lab);
  const { byte } = lab.area.recordsOf(0, 0);
  const { u32 } = lab.area.memory;
  let at = byte / 4;
  for (const length of [0, 43, 46, 104 * 3 + 4, 0xffffffff]) {
    lab.ports.p0.waiting = 4;
    lab.turn();
    u32[at + 104 / 4 + RECORD.LENGTH] = length; // of the second
    equal(drain(lab, session).length, 1);
    lab.ports.p0.waiting = 1;
    lab.turn();
    equal(drain(lab, session).length, 1);
    at += 5 * 104 / 4;
  }
});
