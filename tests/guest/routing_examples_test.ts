import { deepEqual, equal, rejects } from "node:assert/strict";
import * as l3Forward from "../../app/guest/examples/l3_forward.ts";
import * as responder from "../../app/guest/examples/responder.ts";
import { ARP, ICMP, icmp } from "../../app/function.ts";
import { frame, tryFunction } from "../../app/testing.ts";

/** MAC addresses of the trial's ports, and of next hops. */
const PORT = ["00:00:5e:00:53:80", "00:00:5e:00:53:81"];
const HOP = ["02:00:00:00:00:01", "02:00:00:00:00:02"];
const SENDER = "00:00:5e:00:53:01";
const ROUTER = "00:00:5e:00:53:02";

const routes = `any 1 ${HOP[1]}, 10.1.2.0/24 1 ${HOP[1]}, 10.1.0.0/16 0 ${HOP[0]}`;

Deno.test("l3_forward: the longest prefix decides, and a hop is taken off; without route it is dropped", async () => {
  const [one, two, three] = ["10.1.3.1", "10.1.2.1", "10.2.0.1"].map(
    (destinationIp) => (ttl: number, hop?: number) =>
      frame.udp({
        ...{ destinationIp, ttl },
        ...hop === undefined ? {} : { source: PORT[hop], destination: HOP[hop] },
      }),
  );
  const given = [one(64), two(64), three(2), frame.arp()];
  const { frames } = await tryFunction(l3Forward, given, { set: { routes } });
  deepEqual(frames, [
    { what: "sent", port: 0, bytes: one(63, 0) },
    { what: "sent", port: 1, bytes: two(63, 1) },
    { what: "sent", port: 1, bytes: three(1, 1) },
    { what: "dropped" },
  ]);
  const few = { set: { routes: `10.1.0.0/16 0 ${HOP[0]}` } };
  equal((await tryFunction(l3Forward, [three(64)], few)).sent.length, 0);
  await rejects(tryFunction(l3Forward, [], { set: { routes: `any 5 ${HOP[0]}` } }), /port 5/);
  await rejects(tryFunction(l3Forward, [], { set: { routes: "any 1" } }), /route "any 1"/);
});

Deno.test("l3_forward: who sends a packet that runs out of hops gets ICMP time exceeded", async () => {
  const sent = frame.udp({ ttl: 1, payload: new Uint8Array(500) });
  const set = { routes, address: "192.0.2.254" };
  const { frames: [{ port, bytes }] } = await tryFunction(l3Forward, [sent], { set });
  const about = frame.icmpEcho({
    ...{ source: ROUTER, destination: SENDER, identifier: 0, sequence: 0 },
    ...{ sourceIp: "192.0.2.254", destinationIp: "192.0.2.1", payload: sent.slice(14, 42) },
  });
  const expected = await tryFunction((burst) => {
    icmp.setType(burst, 0, 34, ICMP.TIME_EXCEEDED);
  }, [about]);
  deepEqual([port, bytes], [0, expected.sent[0].bytes]);

  const error = expected.sent[0].bytes.slice();
  error[22] = 1; // its time to live: of errors nobody is told
  equal((await tryFunction(l3Forward, [error], { set })).sent.length, 0);
});

Deno.test("responder: answers ARP and ping for its address by the port they came by; all else goes on", async () => {
  const { frames } = await tryFunction(responder, [
    frame.arp(),
    frame.icmpEcho(),
    frame.arp({ targetIp: "192.0.2.3" }),
    frame.icmpEcho({ destinationIp: "192.0.2.3" }),
    frame.icmpEcho({ reply: true }),
  ]);
  deepEqual(frames.map(({ port }) => port), [0, 0, 1, 1, 1]);
  deepEqual(
    frames[0].bytes,
    frame.arp({
      ...{ operation: ARP.REPLY, source: PORT[0], destination: SENDER, targetMac: SENDER },
      ...{ senderIp: "192.0.2.2", targetIp: "192.0.2.1" },
    }),
  );
  const ends = { source: ROUTER, destination: SENDER };
  const ips = { sourceIp: "192.0.2.2", destinationIp: "192.0.2.1" };
  deepEqual(frames[1].bytes, frame.icmpEcho({ ...ends, ...ips, reply: true }));
});
