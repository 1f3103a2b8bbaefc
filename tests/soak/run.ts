/**
 * `deno task soak --minutes N`: frames through real processes for as long as you like, while these
 * are killed, stopped, paused and cut off.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { FAULTS, pickFault } from "./faults.ts";
import { soak } from "./soak.ts";
import { reportText } from "./soak_report.ts";
import { chartText, plot } from "./plot.ts";

const USAGE = `deno task soak - numbered frames through real processes, with faults among them

  --minutes N     how long (default 1); the round that is under way is finished
  --seed S        of the order of faults and of frames (default: a new one, which is told)
  --rate N        frames a second that each of four interfaces sends (default 20000)
  --mtu BYTES     of all interfaces (default 1500); frames are from 60 bytes to this plus 14
  --calm SECONDS  of traffic before each fault, on average (default 1)
  --vm            the second guest is a VM, under TCG: use a rate of some 2000
  --fault NAME    only this fault, may be given again; --fault list lists them
  --json FILE     write all that was measured
  --svg FILE      write the plot (default .cache/soak.svg)

SIGTERM ends it after the round that is under way.
Exit status: 0, 1 if a promise was broken.`;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string", default: `${crypto.getRandomValues(new Uint32Array(1))[0] >>> 1}` },
    rate: { type: "string", default: "20000" },
    mtu: { type: "string", default: "1500" },
    calm: { type: "string", default: "1" },
    vm: { type: "boolean", default: false },
    fault: { type: "string", multiple: true, default: [] },
    json: { type: "string" },
    svg: { type: "string", default: ".cache/soak.svg" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
  Deno.exit(0);
}
const faults = FAULTS.filter(({ name }) =>
  values.fault.length === 0 || values.fault.includes(name)
);
if (faults.length === 0) {
  console.log(FAULTS.map(({ name }) => name).join("\n"));
  Deno.exit(values.fault.includes("list") ? 0 : 2);
}
const { vm } = values;
const [minutes, seed, rate, mtu, calm] = [
  values.minutes,
  values.seed,
  values.rate,
  values.mtu,
  values.calm,
].map(
  Number,
);
if (![minutes, seed, rate, mtu - 67].every((value) => value > 0) || !(calm >= 0)) {
  console.error(USAGE);
  Deno.exit(2);
}
console.log(
  `seed ${seed}, ${minutes} minutes, four times ${rate} frames/s of 60 to ${mtu + 14} bytes`,
);
let isStopped = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  Deno.addSignalListener(signal, () => isStopped = true);
}
const report = await soak({
  seed,
  rate,
  mtu,
  calm,
  vm,
  nextFault: (elapsed, random) =>
    !isStopped && elapsed < minutes * 60 ? pickFault(faults, random) : undefined,
  log: console.log,
});
console.log(`\n${reportText(report)}\n\n${chartText(report)}`);
Deno.writeTextFileSync(values.svg, plot(report));
console.log(`plot: ${values.svg}`);
if (values.json) Deno.writeTextFileSync(values.json, JSON.stringify(report, null, 1));
Deno.exit(report.broken.length === 0 ? 0 : 1);
