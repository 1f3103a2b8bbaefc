/**
 * All metrics, once: names by Prometheus' conventions (base units, `_total` behind counters), and
 * how each is read from the figures of a region. Text exposition and OTLP are made of this table.
 *
 * @module
 */
import type { LcoreFigures, PortFigures, RegionFigures } from "../inspect/figures.ts";
import type { GuestReport } from "../inspect/region_report.ts";
import { GUEST_STATE_NAMES } from "../channel/guest_state.ts";
import { COUNTER, DROP_LABELS } from "../port/counters.ts";

/** Labels of a sample, in their order. */
export type Labels = Readonly<Record<string, string>>;

/** One value of a metric. */
interface Sample {
  /** Its labels, beside the labels of its region, guest or port. */
  readonly labels?: Labels;
  readonly value: number;
}

/** A metric. */
export interface Family {
  /** Its name, without `culvert_` in front and, of a counter, `_total` behind. */
  readonly name: string;
  /** A counter only goes up, a gauge is as things are. */
  readonly kind: "counter" | "gauge";
  /** A sentence about it. */
  readonly help: string;
  /**
   * Its values in a region, with all labels. In another run a value begins at 0; a run that is left
   * out is a host's life.
   */
  samples(
    region: RegionFigures,
  ): { readonly labels: Labels; readonly run?: string; readonly value: number }[];
}

/** What a metric is read from, with the labels and the run that this has. */
type Subjects<T> = (
  region: RegionFigures,
) => { readonly labels: Labels; readonly run?: string; readonly subject: T }[];

const ofRegion: Subjects<RegionFigures> = (region) => [{
  labels: { region: region.name },
  subject: region,
}];

const ofGuests: Subjects<GuestReport> = ({ name: region, report }) =>
  report.guests.map((subject) => ({
    labels: { region, guest: numberOf(subject.name) },
    run: "guest", // it goes on at the next host; one that begins anew is seen by lower values
    subject,
  }));

const ofLcores: Subjects<LcoreFigures> = ({ name: region, lcores }) =>
  lcores.map((subject) => ({ labels: { region, core: `${subject.core}` }, subject }));

const ofPorts: Subjects<PortFigures> = ({ name: region, ports }) =>
  ports.map((subject) => ({
    labels: {
      region,
      guest: numberOf(subject.guest),
      port: `${subject.number}`,
      name: subject.name,
    },
    ...subject.count(COUNTER.RUN) === 0 ? {} : { run: `${subject.count(COUNTER.RUN)}` },
    subject,
  }));

/** `g12` is guest 12. */
function numberOf(guest: string): string {
  return guest.replace(/^g/, "");
}

/** Metrics of one kind of subject. */
function familyOf<T>(subjects: Subjects<T>) {
  return (
    name: string,
    kind: Family["kind"],
    help: string,
    read: (subject: T) => number | readonly Sample[],
  ): Family => ({
    name,
    kind,
    help,
    samples: (region) =>
      subjects(region).flatMap(({ labels, run, subject }) => {
        const found = read(subject);
        if (typeof found === "number") return [{ labels, run, value: found }];
        return found.map((sample) => ({
          labels: { ...labels, ...sample.labels },
          run,
          value: sample.value,
        }));
      }),
  });
}

const region = familyOf(ofRegion);
const guest = familyOf(ofGuests);
const lcore = familyOf(ofLcores);
const port = familyOf(ofPorts);

/** A counter of a port that is one of its counters in the region. */
function counted(name: string, help: string, counter: number): Family {
  return port(name, "counter", help, ({ count }) => count(counter));
}

const isUp = (is: boolean) => is ? 1 : 0;

/** In the order in which they are shown. */
export const FAMILIES: readonly Family[] = [
  region(
    "host_up",
    "gauge",
    "Whether the region's host forwards: its heartbeat moves.",
    ({ report: { host } }) => isUp(host?.state === "READY" && host.isAlive !== false),
  ),
  region(
    "host_epoch",
    "gauge",
    "Hosts that have begun or ended in this region.",
    ({ report: { host } }) => host?.epoch ?? 0,
  ),
  region("mbufs", "gauge", "Packet buffers of the host.", ({ mbufs }) => mbufs.total),
  region(
    "mbufs_free",
    "gauge",
    "Packet buffers in the host's mempool, caches of lcores not counted.",
    ({ mbufs }) => mbufs.free,
  ),
  lcore(
    "lcore_busy_seconds",
    "counter",
    "Time that the core's lcore spent in turns that moved frames.",
    ({ seconds, idleSeconds }) => Math.max(0, seconds - idleSeconds),
  ),
  lcore(
    "lcore_idle_seconds",
    "counter",
    "Time in which the core's lcore found nothing to do.",
    ({ idleSeconds }) => idleSeconds,
  ),
  guest(
    "guest_up",
    "gauge",
    "Whether a guest runs in this place: its heartbeat moves.",
    ({ state, isAlive }) => isUp(state === "RUNNING" && isAlive !== false),
  ),
  guest(
    "guest_state",
    "gauge",
    "The state that the guest's place is in: 1; all others 0.",
    ({ state }) =>
      GUEST_STATE_NAMES.map((name) => ({
        labels: { state: name.toLowerCase() },
        value: isUp(name === state),
      })),
  ),
  guest(
    "guest_incarnation",
    "gauge",
    "Goes up whenever the host lets a guest in, or retires it.",
    ({ incarnation }) => incarnation,
  ),
  guest(
    "guest_held_mbufs",
    "gauge",
    "Packet buffers that the host has lent to the guest.",
    ({ outstanding }) => outstanding,
  ),
  guest(
    "guest_busy_ratio",
    "gauge",
    "Share of the last second in which the guest's lcore had work, as the guest says.",
    ({ busy }) => busy.map((value, lcore) => ({ labels: { lcore: `${lcore}` }, value })),
  ),
  guest(
    "guest_counted",
    "counter",
    "What the guest's network functions count, by their own names.",
    ({ counted }) =>
      Object.entries(counted).map(([counter, value]) => ({ labels: { counter }, value })),
  ),
  port("port_up", "gauge", "Whether the port's interface is up.", ({ isDown }) => isUp(!isDown)),
  counted("port_received_frames", "Frames taken from the port.", COUNTER.RX),
  counted("port_received_bytes", "Bytes taken from the port, FCS not included.", COUNTER.RX_BYTES),
  counted("port_sent_frames", "Frames sent by the port.", COUNTER.TX),
  counted("port_sent_bytes", "Bytes sent by the port, FCS not included.", COUNTER.TX_BYTES),
  counted("port_originated_frames", "Frames that the guest made.", COUNTER.ORIGINATED),
  counted("port_missed_frames", "Frames that the kernel dropped before the host.", COUNTER.MISSED),
  port(
    "port_dropped_frames",
    "counter",
    "Frames dropped between port and guest, by reason.",
    ({ count }) =>
      [...DROP_LABELS].map(([counter, reason]) => ({ labels: { reason }, value: count(counter) })),
  ),
  counted("port_received_bursts", "Bursts in which frames came from the port.", COUNTER.RX_BURSTS),
  counted("port_sent_bursts", "Bursts in which frames came from the guest.", COUNTER.TX_BURSTS),
  port(
    "port_burst_max_frames",
    "gauge",
    "Frames that a burst may have.",
    ({ count }) => count(COUNTER.BURST),
  ),
  counted("port_doorbells", "Doorbells rung to wake the guest.", COUNTER.NOTIFIED),
  port("port_violations", "counter", "What the guest did against the rules.", ({ count }) => [
    { labels: { kind: "foreign_handle" }, value: count(COUNTER.FOREIGN) },
    { labels: { kind: "impossible_position" }, value: count(COUNTER.POSITION) },
  ]),
  port(
    "ring_slots",
    "gauge",
    "Slots of the ring.",
    ({ rings }) =>
      Object.entries(rings).map(([ring, { slots }]) => ({ labels: { ring }, value: slots })),
  ),
  port(
    "ring_used_slots",
    "gauge",
    "Slots of the ring that are in use.",
    ({ rings }) =>
      Object.entries(rings).map(([ring, { used }]) => ({ labels: { ring }, value: used })),
  ),
];
