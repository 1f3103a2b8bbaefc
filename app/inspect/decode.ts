/**
 * Decode a region by reading alone.
 *
 * Host and guests go on while we read, so the words of one report are of slightly different
 * moments. The positions of a ring are read again until they are of one moment; counters are as old
 * as the host's last publication of them. No word is trusted: a region may be half-built, of
 * another version, truncated or garbage, and is described as far as that is possible.
 *
 * @module
 */
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import {
  CHANNEL,
  DIRECTORY_BYTES,
  ENTRY,
  guestBytes,
  hashText,
  HEADER,
  LAYOUT_HASH,
  LAYOUT_VERSION,
  LINE_BYTES,
  MAGIC,
  PUSH,
  REGION_STATE,
  ZONE_KIND,
  ZONES_BYTES,
  ZONES_MAX,
} from "../memory/layout.ts";
import { kindName, type Memzone, readEntry } from "../memory/zone.ts";
import { countIn } from "../mempool/mbuf.ts";
import { decodeChannel, decodeGuest, orNull } from "./decode_channel.ts";
import {
  decodeMempool,
  decodeMpmc,
  decodeSpsc,
  mempoolProblem,
  ringProblem,
} from "./decode_ring.ts";
import type { HostReport, RegionReport, SleepReport, ZoneReport } from "./region_report.ts";

/** Fewest bytes that can be decoded: the header page. */
export const INSPECT_MIN_BYTES = 4096;

/**
 * Describe a region.
 *
 * @param memory At least {@linkcode INSPECT_MIN_BYTES}; it is only read.
 */
export function decodeRegion(memory: MappedMemory): RegionReport {
  const { u32 } = memory;
  const version = memory.load(HEADER.VERSION);
  const isRegion = u32[HEADER.MAGIC_0] === MAGIC[0] && u32[HEADER.MAGIC_1] === MAGIC[1];
  const hash = u32[HEADER.LAYOUT_HASH];
  const isOurLayout = isRegion && hash === LAYOUT_HASH &&
    (version === LAYOUT_VERSION || version === 0);
  const host = isOurLayout ? decodeHost(memory) : null;
  const entries = isOurLayout ? readEntries(memory) : [];
  const zones = entries.map((zone) => ({ ...zone, problem: problemOf(memory, zone, entries) }));
  const sound = (kind: number) => zones.filter((z) => z.kind === kind && z.problem === null);
  const { RING, MPMC, MBUFS, MEMPOOL } = ZONE_KIND;
  return {
    bytes: memory.bytes,
    isRegion,
    version: isRegion ? version : null,
    layoutHash: isRegion ? hashText(hash) : null,
    isOurLayout,
    problems: problemsOf(memory, { isRegion, version, hash }, host),
    host,
    zones: zones.map(({ name, kind, ...rest }): ZoneReport => {
      return { name, kind: kindName(kind), ...rest };
    }),
    guests: sound(ZONE_KIND.GUEST).map((zone) => decodeGuest(memory, zone)),
    channels: sound(ZONE_KIND.CHANNEL).map((zone) => decodeChannel(memory, zone)),
    rings: zones.flatMap((zone) => {
      if (zone.problem !== null) return [];
      if (zone.kind === RING) return [decodeSpsc(memory, zone)];
      return zone.kind === MPMC ? [decodeMpmc(memory, zone)] : [];
    }),
    mbufs: sound(MBUFS).map(({ name, size, parameter: stride }) => {
      return { name, ...countIn(size, stride, memory.load(HEADER.LONG_MBUFS)), stride };
    }),
    mempools: sound(MEMPOOL).map((zone) => decodeMempool(memory, zone)),
  };
}

/**
 * Tell from two looks at a region, at least a third of a second apart, whether its host, its guests
 * and their lcores are alive.
 *
 * @returns `now` with every `isAlive` and `isTurning` filled in.
 */
export function withLives(before: RegionReport, now: RegionReport): RegionReport {
  const guests = new Map(before.guests.map((guest) => [guest.name, guest.heartbeat]));
  return {
    ...now,
    host: now.host && { ...now.host, isAlive: before.host?.heartbeat !== now.host.heartbeat },
    guests: now.guests.map((guest) => {
      return { ...guest, isAlive: guests.get(guest.name) !== guest.heartbeat };
    }),
    channels: now.channels.map((channel) => {
      const known = before.channels.find(({ name }) => name === channel.name);
      const seen = (sleep: SleepReport, rounds?: number) => ({
        ...sleep,
        isTurning: sleep.rounds === 0 ? null : sleep.rounds !== rounds,
      });
      return {
        ...channel,
        hostSleep: seen(channel.hostSleep, known?.hostSleep.rounds),
        guestSleep: seen(channel.guestSleep, known?.guestSleep.rounds),
      };
    }),
  };
}

function decodeHost(memory: MappedMemory): HostReport {
  const word = (at: number) => memory.load(at);
  const state = word(HEADER.STATE);
  const [name] = Object.entries(REGION_STATE).find(([, number]) => number === state) ??
    [`${state}`];
  return {
    state: name,
    epoch: word(HEADER.EPOCH),
    heartbeat: word(HEADER.HEARTBEAT),
    isAlive: null,
    peer: orNull(word(HEADER.HOST_PEER)),
    bytes: word(HEADER.PAGES) * 4096,
    mbufsFree: word(HEADER.MBUFS_FREE),
  };
}

/** What is wrong with the region as a whole. */
function problemsOf(
  memory: MappedMemory,
  { isRegion, version, hash }: { isRegion: boolean; version: number; hash: number },
  host: HostReport | null,
): string[] {
  if (!isRegion) {
    const isBlank = memory.u32.subarray(0, INSPECT_MIN_BYTES / 4).every((word) => word === 0);
    return [isBlank ? "blank: no host has begun it" : "no region: Culvert's magic is not there"];
  }
  if (version !== LAYOUT_VERSION && version !== 0) {
    return [
      `of layout version ${version}, this build reads ${LAYOUT_VERSION}: use the build that made it`,
    ];
  }
  if (hash !== LAYOUT_HASH) return ["of another layout: use the build that made it"];
  const problems = [];
  if (version === 0) problems.push("half-built: its host still builds it, or died at that");
  if (host!.bytes !== memory.bytes) {
    problems.push(`the header says ${host!.bytes} bytes where there are ${memory.bytes}`);
  }
  const count = memory.load(HEADER.ZONE_COUNT);
  const most = entriesIn(memory);
  if (count > most) {
    problems.push(`the directory counts ${count} memzones: there is room for ${most}`);
  }
  return problems;
}

/** Directory entries that the memory has room for. */
function entriesIn({ bytes }: MappedMemory): number {
  const room = Math.min(bytes, ZONES_BYTES) - DIRECTORY_BYTES;
  return Math.min(ZONES_MAX, Math.floor(room / (ENTRY.WORDS * 4)));
}

function readEntries(memory: MappedMemory): Memzone[] {
  const length = Math.min(memory.load(HEADER.ZONE_COUNT), entriesIn(memory));
  return Array.from({ length }, (_, index) => readEntry(memory, index));
}

/** Why a memzone cannot be used; null if it can. */
function problemOf(memory: MappedMemory, zone: Memzone, all: readonly Memzone[]): string | null {
  const { name, kind, offset, size, parameter } = zone;
  const end = offset + size;
  if (name === "") return "it has no name";
  if (offset < ZONES_BYTES) return "it lies over the header or the directory";
  if (offset % LINE_BYTES !== 0) return `it is not aligned to ${LINE_BYTES} bytes`;
  if (end > memory.bytes) return `it ends at ${end}, behind the region's end`;
  for (const other of all) {
    if (other === zone) continue;
    if (other.name === name) return "another memzone has the same name";
    if (other.offset < end && offset < other.offset + other.size) {
      return `it overlaps ${other.name}`;
    }
  }
  switch (kind) {
    case ZONE_KIND.RING:
      return ringProblem(zone, "spsc");
    case ZONE_KIND.MPMC:
      return ringProblem(zone, "mpmc");
    case ZONE_KIND.MEMPOOL:
      return mempoolProblem(memory, zone);
    case ZONE_KIND.GUEST:
      return tooFew(size, guestBytes(parameter));
    case ZONE_KIND.CHANNEL:
      return tooFew(size, CHANNEL.BYTES);
    case ZONE_KIND.MBUFS:
      return parameter === 0 || parameter > size ? `mbufs of ${parameter} bytes do not fit` : null;
    case ZONE_KIND.PUSH:
      return tooFew(size, PUSH.TEXT * 4 + parameter);
    case ZONE_KIND.RAW:
      return null;
    default:
      return "this build does not know its kind";
  }
}

function tooFew(size: number, wanted: number): string | null {
  return size < wanted ? `${size} bytes are too few, ${wanted} are wanted` : null;
}
