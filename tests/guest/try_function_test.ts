import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import {
  type Burst,
  type Context,
  ethernet,
  ETHERTYPE,
  formatMac,
  type FunctionModule,
  plainOptions,
} from "../../app/function.ts";
import * as icmpecho from "../../app/guest/functions/icmpecho.ts";
import * as l2fwd from "../../app/guest/functions/l2fwd.ts";
import * as txonly from "../../app/guest/functions/txonly.ts";
import { frame, type OptionValues, tryFunction } from "../../app/testing.ts";
import { someFrame } from "./guest_lab.ts";

const UDP = frame.udp();

/** Drops ARP. */
function noArp(burst: Burst) {
  for (let i = 0; i < burst.count; i++) {
    if (ethernet.type(burst, i) === ETHERTYPE.ARP) burst.drop(i);
  }
}

Deno.test("tryFunction() tells of each frame whether it was sent, by which port, or dropped", async () => {
  const { frames, sent } = await tryFunction(noArp, [
    UDP,
    frame.arp(),
    { bytes: frame.tcp(), port: 1 },
    UDP,
  ]);
  deepEqual(frames, [
    { what: "sent", port: 1, bytes: UDP },
    { what: "dropped" },
    { what: "sent", port: 0, bytes: frame.tcp() },
    { what: "sent", port: 1, bytes: UDP },
  ]);
  deepEqual(sent.map(({ port, frame }) => [port, frame]), [[1, 0], [0, 2], [1, 3]]);
});

Deno.test("tryFunction() runs modules with setup(), options, counters, and answers", async () => {
  const module = {
    options: plainOptions({ limit: 10 }),
    setup({ options, counter, ports, log }: Context<{ limit: number }>) {
      const short = counter("short");
      log(ports.map(({ name, mac }) => `${name} ${formatMac(mac)}`).join(", "));
      return (burst: Burst) => {
        for (let i = 0; i < burst.count; i++) if (burst.length(i) < options.limit) short.add();
      };
    },
    answers: true,
  };
  const made = await tryFunction(module, [UDP, someFrame(20)], { set: { limit: 50 }, ports: 3 });
  deepEqual(made.frames.map(({ port }) => port), [0, 0]);
  deepEqual(made.counters, { short: 1 });
  equal(
    made.log[0],
    "port0 00:00:5e:00:53:80, port1 00:00:5e:00:53:81, port2 00:00:5e:00:53:82",
  );
  await rejects(tryFunction(module, [], { set: { limit: "x" } }), {
    name: "UsageError",
    message: "Cannot set limit=x of function tried as that is no number",
  });
});

Deno.test("tryFunction() refuses what the guest does: modules without a function, and async ones", async () => {
  await rejects(tryFunction({}, [UDP]), {
    name: "CulvertError",
    message: "Cannot use function tried as it exports nothing: export default function (burst) {}",
  });
  await rejects(tryFunction(async () => {}, [UDP]), { message: /tried as its default is async: / });
});

Deno.test("tryFunction() shows what a function throws, for each frame of its burst, and where", async () => {
  let bursts = 0;
  const fails = (burst: Burst) => void (bursts++ === 1 && burst.u32(0, 1000));
  const frames = [0, 0, 1, 1, 2].map((at) => ({ bytes: UDP, at }));
  const { frames: tried, log } = await tryFunction(fails, frames);
  deepEqual(tried.map(({ what }) => what), ["sent", "sent", "failed", "failed", "sent"]);
  match(String(tried[2].error), /RangeError: Cannot use 4 bytes at offset 1000 of frame 0/);
  equal(tried[4].error, undefined);
  match(log[0], /^function fails has thrown: .* at .*try_function_test\.ts:\d+:\d+\)?$/);
  bursts = 0;
  const passed = await tryFunction(fails, frames, { onError: "pass" });
  deepEqual(passed.frames.map(({ what }) => what), Array(5).fill("sent"));
  ok(passed.frames[3].error instanceof RangeError);
});

Deno.test("tryFunction() tells what a function makes: copies, and frames of its own", async () => {
  const module = {
    default(burst: Burst) {
      if (burst.count > 0) equal(burst.copyTo(0, 2), true);
      burst.append(burst.add(0), 14);
    },
    originates: true,
  };
  const { frames, sent } = await tryFunction(module, [UDP], { ports: 3 });
  deepEqual(frames, [{ what: "sent", port: 1, bytes: UDP }]);
  deepEqual(sent, [
    { port: 0, bytes: sent[0].bytes, at: 0 },
    { port: 1, bytes: UDP, at: 0, frame: 0 },
    { port: 2, bytes: UDP, at: 0 },
  ]);
  equal(sent[0].bytes.length, 14);
  const many = await tryFunction(module, Array(3000).fill(UDP), { ports: 3 });
  equal(many.sent.length, 3000 + 2 * Math.ceil(3000 / 32));
});

Deno.test("tryFunction() lets time pass: timers are due, functions that originate get bursts", async () => {
  const times: number[] = [];
  const timed = {
    setup({ every, now }: Context) {
      equal(now, 100);
      every(1000, () => times.push(times.length));
    },
  };
  await tryFunction(timed, [{ bytes: UDP, at: 2500 }, { bytes: UDP, at: 2600 }], { until: 10_000 });
  equal(times.length, 10);
  const { sent } = await tryFunction(txonly, [], { until: 100 });
  equal(sent.length, 64);
  deepEqual(new Set(sent.map(({ at }) => at)), new Set([100]));
  equal((await tryFunction(txonly, [])).sent.length, 0);
});

Deno.test("tryFunction() refuses what setup() returns if that is no function", async () => {
  const after = (returned: unknown) => tryFunction({ setup: () => returned } as never, [UDP]);
  const refused = (returned: unknown, told: string) =>
    rejects(after(returned), {
      name: "CulvertError",
      message: `Cannot set up function tried as its setup() has returned ${told}`,
    });
  await refused(5, "a number: return a function (burst) => {}, or nothing");
  await refused([], "an object: return a function (burst) => {}, or nothing");
  await refused(
    Promise.reject(new Error("late")),
    "a promise: nothing waits for it, await at the file's top level",
  );
  await refused(async () => {}, "an async function: nothing waits for it");
  for (const nothing of [undefined, null]) equal((await after(nothing)).frames[0].what, "sent");
});

Deno.test("tryFunction() refuses options of more functions than there are", async () => {
  const refused = {
    name: "CulvertError",
    message: /^Cannot set options of function 2 as .* has 1$/,
  };
  await rejects(tryFunction([noArp], [UDP], { set: [{}, {}] }), refused);
  await rejects(tryFunction(noArp, [UDP], { set: [{}, { limit: 1 }] }), refused);
});

Deno.test("tryFunction() says where a timer throws, and goes on", async () => {
  const timed = {
    setup({ every }: Context) {
      every(100, () => {
        throw new Error("no such timer");
      });
    },
  };
  const { frames, log } = await tryFunction(timed, [{ bytes: UDP, at: 250 }]);
  equal(frames[0].what, "sent");
  equal(frames[0].error, undefined);
  match(log[0], /^function tried has thrown: no such timer at .*try_function_test\.ts:\d+:\d+/);
});

Deno.test("tryFunction() runs the functions that come with culvert", async () => {
  const { frames: [{ bytes }] } = await tryFunction(l2fwd, [UDP]);
  equal(formatMac(bytes!.slice(0, 12)), "02:00:00:00:00:01:00:00:5e:00:53:81");
  const { frames: [reply] } = await tryFunction(icmpecho, [frame.icmpEcho()]);
  deepEqual(reply, {
    what: "sent",
    port: 0,
    bytes: frame.icmpEcho({
      ...{ reply: true, sourceIp: "192.0.2.2", destinationIp: "192.0.2.1" },
      ...{ source: "00:00:5e:00:53:02", destination: "00:00:5e:00:53:01" },
    }),
  });
});

Deno.test("tryFunction() takes frames of any length that a frame can have, and 32 ports", async () => {
  const { frames } = await tryFunction(noArp, [someFrame(65_535), someFrame(0)], { burst: 1 });
  deepEqual(frames.map(({ bytes }) => bytes?.length), [65_535, 0]);
  const last = await tryFunction(noArp, [{ bytes: UDP, port: 31 }], { ports: 32, burst: 256 });
  equal(last.frames[0].port, 30);
  const refuses = (promise: Promise<unknown>, message: string) =>
    rejects(promise, { name: "CulvertError", message });
  await refuses(
    tryFunction(noArp, [someFrame(65_536)]),
    "Cannot try a frame of 65536 bytes: 65535 fit into an mbuf here",
  );
  await refuses(
    tryFunction(noArp, [{ bytes: UDP, port: 2 }]),
    "Cannot try a frame of port 2: there are ports 0 to 1; ask for more",
  );
  await refuses(
    tryFunction(noArp, [], { ports: 33 }),
    "Cannot try a function with ports 33: 1 to 32 are wanted",
  );
});

Deno.test("tryFunction() runs a chain: each function gets what the one before has kept", async () => {
  const seen: number[] = [];
  const dropFirst = {
    options: plainOptions({ frames: 1 }),
    setup: ({ options: { frames } }: Context<{ frames: number }>) => (burst: Burst) => {
      seen.push(burst.count);
      for (let i = 0; i < frames; i++) burst.drop(i);
    },
  };
  const chain = [dropFirst, dropFirst] as FunctionModule[];
  const set: OptionValues[] = [{ frames: 2 }, {}];
  const { frames } = await tryFunction(chain, [UDP, UDP, UDP, UDP], { set });
  deepEqual(seen, [4, 2]);
  deepEqual(frames.map(({ what }) => what), ["dropped", "dropped", "dropped", "sent"]);
});
