/**
 * The guest of memzones_test.ts: `culvert qemu --app` puts it into the image. It uses what a
 * program in a VM would use: app/api.ts.
 *
 * @module
 */
import {
  atomicsCheckBytes,
  attachDevice,
  attachMempool,
  attachMemzone,
  attachRing,
  checkAtomics,
  ivshmemDevices,
  type RawMemzone,
  type Region,
} from "../../app/api.ts";
import { shim } from "../../ffi/shim.ts";
import {
  CONTROL,
  FrameExchange,
  FRAMES,
  type GuestReport,
  GUESTS,
  Hammer,
  REPORT,
  ringFrom,
  ZONE,
} from "./memzones_plan.ts";

/** Nanoseconds after which what is waited for will not come. */
const PATIENCE_NS = 120e9;

/** Steps between two looks at the clock or at the word that ends them. */
const STEPS = 50;

function say(report: GuestReport): void {
  console.log(REPORT + JSON.stringify(report));
}

/** Do something again and again until it returns true. */
function until(what: string, isDone: () => boolean): void {
  const end = shim.shim_clock() + PATIENCE_NS;
  while (!isDone()) {
    shim.shim_yield();
    if (shim.shim_clock() > end) throw new Error(`waited in vain: ${what}`);
  }
}

/** Numbered frames to the other guest and back: one allocates an mbuf, the other frees it. */
function exchange(common: Region, me: string, other: string): void {
  const { pool, mbufs } = attachMempool(common, ZONE.POOL);
  const out = attachRing(common, ringFrom(me), { kind: "spsc" });
  const back = attachRing(common, ringFrom(other), { kind: "spsc" });
  const frames = new FrameExchange(pool, mbufs);
  until("the other guest's frames", () => {
    frames.send(out, FRAMES);
    frames.receive(back);
    return frames.sent === FRAMES && frames.received === FRAMES;
  });
  say({ what: "exchanged", sent: frames.sent, faults: frames.faults });
}

/** Frames to the host, in the region that only this guest and the host see. */
function sendToHost(own: Region): void {
  const { pool, mbufs } = attachMempool(own, ZONE.POOL);
  const ring = attachRing(own, ZONE.FRAMES, { kind: "spsc" });
  const frames = new FrameExchange(pool, mbufs);
  until("the host takes frames", () => {
    frames.send(ring, FRAMES);
    return frames.sent === FRAMES;
  });
}

/** Allocate and free together with all others, until the host says stop. */
function hammer(common: Region, party: number): void {
  const { pool, mbufs } = attachMempool(common, ZONE.POOL, { cacheSize: 8 });
  const control = attachMemzone(common, ZONE.CONTROL);
  const hammer = new Hammer(pool, mbufs, 1 + party);
  until("the host stops it", () => {
    for (let i = 0; i < STEPS; i++) hammer.step();
    control.store(CONTROL.ALLOCATED + party, hammer.allocated);
    return control.load(CONTROL.STOP) === 1;
  });
  say({ what: "hammered", ...hammer.end() });
}

/** For how many the host has made room. */
function partiesIn(check: RawMemzone): number {
  return [1, 2, 3].findLast((parties) => atomicsCheckBytes(parties) <= check.u8.length) ?? 0;
}

function run(me: string): void {
  const regions = new Map(
    ivshmemDevices().map(({ address }) => {
      const { region } = attachDevice(address);
      return [attachMemzone(region, ZONE.LABEL).text(), region];
    }),
  );
  const [common, own] = [regions.get("common"), regions.get(me)];
  if (!common || !own) throw new Error(`has only ${[...regions.keys()]}`);
  const party = GUESTS.findIndex((name) => name === me);
  const names = [...regions].map(([label, { zones }]) => [label, zones.map(({ name }) => name)]);
  const text = attachMemzone(own, ZONE.CONFIG).text();
  say({ what: "attached", regions: Object.fromEntries(names), text });

  until("a memzone that is added later", () => {
    common.refresh();
    return common.zones.some(({ name }) => name === ZONE.LATE);
  });
  say({ what: "late", text: attachMemzone(common, ZONE.LATE).text() });

  const check = attachMemzone(common, ZONE.ATOMICS);
  const additions = checkAtomics(check, party, partiesIn(check), { patience: 120_000 });
  say({ what: "atomics", additions });
  exchange(common, me, GUESTS[1 - party]);
  sendToHost(own);
  hammer(common, party);
}

try {
  run(Deno.args.at(-1) ?? "");
} catch (error) {
  say({
    what: "failed",
    message: error instanceof Error ? error.stack ?? error.message : `${error}`,
  });
  Deno.exit(1);
}
