import { printable } from "../linux/printable.ts";
import { COUNTER, DROPS } from "../port/counters.ts";
import { countersOf, type PortReport, portsOf } from "./port_queues.ts";
import type {
  GuestReport,
  HostReport,
  RegionReport,
  RingReport,
  SleepReport,
  ZoneReport,
} from "./region_report.ts";
import { alignColumns, bar, bytesText, shares } from "./table.ts";

/** A region as text for people: sections with aligned columns, and bars for rings and memory. */
export function reportText(source: string, report: RegionReport): string {
  const lines = [`region at ${source}, ${bytesText(report.bytes)}`];
  for (const problem of report.problems) lines.push(`  ! ${problem}`);
  if (report.isRegion) lines.push(`  layout  ${layoutText(report)}`);
  if (report.host) lines.push(...hostLines(report.host, report));
  lines.push(...section("guests", guestLines(report.guests)));
  lines.push(...section("channels", portsOf(report.channels).flatMap((p) => portLines(p, report))));
  const isOfChannel = ({ name }: RingReport) =>
    report.channels.some((channel) => name.startsWith(`${channel.name}.`));
  lines.push(...section("other rings", ringLines(report.rings.filter((r) => !isOfChannel(r)))));
  lines.push(...section("mempools", mempoolLines(report)));
  lines.push(...section(zonesTitle(report), zoneLines(report)));
  return lines.map(printable).join("\n");
}

function section(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ["", title, ...lines.map((line) => `  ${line}`)];
}

function layoutText({ version, layoutHash, isOurLayout }: RegionReport): string {
  return `version ${version}, hash ${layoutHash}, ` +
    (isOurLayout ? "as this build has it" : "not this build's");
}

function hostLines(host: HostReport, { mbufs }: RegionReport): string[] {
  const peer = host.peer === null ? "" : `, peer ${host.peer}`;
  const lines = [
    `  host    ${host.state}${lifeText(host.state, host.isAlive)}, epoch ${host.epoch}${peer}, ` +
    `heartbeat ${host.heartbeat}`,
  ];
  const total = mbufs.reduce((sum, { count }) => sum + count, 0);
  if (total > 0) {
    const free = Math.min(host.mbufsFree, total);
    const busy = `${total - free} of ${total} in use`;
    const long = mbufs[0].long > 0 ? `; ${mbufs[0].long} long ones` : "";
    lines.push(
      `  mbufs   ${bar(total - free, total)} ${busy}, ${mbufs[0].stride} bytes each${long}`,
    );
  }
  return lines;
}

/** Whether the heartbeat moves; nothing in a state in which no host or guest is there. */
function lifeText(state: string, isAlive: boolean | null): string {
  if (isAlive === null || state === "ABSENT" || state === "CLOSED") return "";
  return isAlive ? ", alive" : ", silent: its heartbeat stands still";
}

function guestLines(guests: readonly GuestReport[]): string[] {
  const rows = guests.map((guest) => [
    guest.name,
    guest.state + lifeText(guest.state, guest.isAlive),
    `${guest.channels} channel${guest.channels === 1 ? "" : "s"}`,
    `incarnation ${guest.incarnation}`,
    guest.pid === 0 ? "" : `own pid ${guest.pid}`,
    guest.peer === null ? "" : `peer ${guest.peer}`,
    guest.wantsMbufs ? "wants mbufs" : "",
    guest.outstanding > 0 ? `holds ${guest.outstanding} mbufs` : "",
    guest.isAskedToLeave ? "is asked to leave" : "",
    guest.busy.length > 0 ? `busy ${shares(guest.busy)}` : "",
  ]);
  const lines = alignColumns(rows, Array(9).fill("left"));
  return guests.flatMap(({ counted }, i) => {
    const entries = Object.entries(counted);
    const counters = alignColumns(entries.map(([name, n]) => [name, `${n}`]), ["left", "right"]);
    return [lines[i], ...counters.map((line) => `    counted ${line}`)];
  });
}

function portLines(port: PortReport, { rings, host, guests }: RegionReport): string[] {
  const { name, channels } = port;
  const [{ portName, mac, frameMax, headroom }] = channels;
  const own = rings.filter((ring) => ring.name.startsWith(`${name}.`));
  const queues = channels.length > 1 ? `${channels.length} queues, ` : "";
  const title = `${name}  port ${portName}, ${mac}, ${queues}` +
    `frames to ${frameMax} bytes behind ${headroom} of headroom`;
  const guest = guests.find((its) => name.startsWith(`${its.name}.`));
  const lcores = channels.map(({ hostSleep, guestSleep }, queue) =>
    `lcores${channels.length > 1 ? ` of queue ${queue}` : ""}: host ` +
    `${sleepText(hostSleep, host?.state === "READY")}; guest ` +
    sleepText(guestSleep, guest?.state === "RUNNING")
  );
  const lines = [...lcores, ...ringLines(own, `${name}.`), ...counterLines(countersOf(port))];
  return [title, ...lines.map((line) => `    ${line}`)];
}

/** @param isAtWork Whether its side forwards, so that the lcore should come round its loop. */
function sleepText(
  { isTurning, isAsleep, sleeps, vector }: SleepReport,
  isAtWork: boolean,
): string {
  const stalled = isAtWork && isTurning === false ? "! does not come round its loop, " : "";
  const waker = vector === null ? "woken by nobody" : `woken by vector ${vector}`;
  return `${stalled}${isAsleep ? "asleep" : "awake"}, slept ${sleeps}x, ${waker}`;
}

/** For each ring its fill, and the positions of producer and consumer. */
function ringLines(rings: readonly RingReport[], prefix = ""): string[] {
  const rows = rings.map(({ name, kind, slots, producer, consumer, used, problem }) => [
    name.slice(prefix.length),
    kind === "mpmc" ? "MP/MC" : "",
    bar(used, slots),
    `${used}`,
    `of ${slots}`,
    "producer",
    `${producer}`,
    "consumer",
    `${consumer}`,
    problem === null ? "" : `! ${problem}`,
  ]);
  // deno-fmt-ignore
  return alignColumns(rows, ["left", "left", "left", "right", "left", "left", "right", "left", "right", "left"]);
}

function counterLines(counters: Float64Array): string[] {
  const of = (counter: number) => counters[counter];
  const perBurst = (frames: number, bursts: number) =>
    of(bursts) > 0 ? (of(frames) / of(bursts)).toFixed(1) : "no";
  const drops = DROPS.filter(({ counter }) => of(counter) > 0);
  const dropped = drops.reduce((sum, { counter }) => sum + of(counter), 0);
  const made = of(COUNTER.ORIGINATED) > 0 ? ` + originated ${of(COUNTER.ORIGINATED)}` : "";
  const also = [
    of(COUNTER.MISSED) > 0 ? `missed by the kernel ${of(COUNTER.MISSED)}` : "",
    of(COUNTER.MIRRORED) > 0 ? `mirrored ${of(COUNTER.MIRRORED)}` : "",
    of(COUNTER.MIRROR_LOST) > 0 ? `lost by the mirror ${of(COUNTER.MIRROR_LOST)}` : "",
    of(COUNTER.FOREIGN) > 0 ? `foreign handles ${of(COUNTER.FOREIGN)}` : "",
    of(COUNTER.POSITION) > 0 ? `impossible positions ${of(COUNTER.POSITION)}` : "",
    of(COUNTER.NOTIFIED) > 0 ? `doorbells rung ${of(COUNTER.NOTIFIED)}` : "",
    of(COUNTER.DOWN) > 0 ? "port down" : "",
  ].filter(Boolean).join(", ");
  return [
    `port: received ${of(COUNTER.RX)}${made}, sent ${of(COUNTER.TX)}, dropped ${dropped}` +
    (also && `; ${also}`),
    ...drops.map(({ counter, reason }) => `  dropped ${of(counter)}: ${reason}`),
    ...of(COUNTER.BURST) === 0 ? [] : [
      `bursts of at most ${of(COUNTER.BURST)}: received ${
        perBurst(COUNTER.RX, COUNTER.RX_BURSTS)
      }, from the guest ${perBurst(COUNTER.TX, COUNTER.TX_BURSTS)} frames on average`,
    ],
  ];
}

function mempoolLines({ mempools }: RegionReport): string[] {
  const rows = mempools.map(({ name, count, stride, free, problem }) => [
    name,
    bar(count - free, count),
    `${count - free}`,
    `of ${count} in use or in caches`,
    `${stride} bytes each`,
    problem === null ? "" : `! ${problem}`,
  ]);
  return alignColumns(rows, ["left", "left", "right", "left", "left", "left"]);
}

function zonesTitle({ zones, bytes }: RegionReport): string {
  const end = Math.max(0, ...zones.filter((z) => z.problem === null).map((z) => z.offset + z.size));
  return `${zones.length} memzones, ${bytesText(end)} of ${bytesText(bytes)} given out ` +
    bar(end, bytes);
}

const PARAMETERS: Readonly<Record<string, string>> = {
  RING: "slots",
  MPMC: "slots",
  MBUFS: "stride",
  MEMPOOL: "stride",
  GUEST: "channels",
  PUSH: "text",
};

function zoneLines({ zones }: RegionReport): string[] {
  if (zones.length === 0) return [];
  const rows = zones.map(({ name, kind, offset, size, parameter, problem }: ZoneReport) => [
    name,
    kind,
    `${offset}`,
    `${size}`,
    PARAMETERS[kind] ? `${PARAMETERS[kind]} ${parameter}` : "",
    problem === null ? "" : `! ${problem}`,
  ]);
  const head = ["name", "kind", "offset", "bytes", "", ""];
  return alignColumns([head, ...rows], ["left", "left", "right", "right", "left", "left"]);
}
