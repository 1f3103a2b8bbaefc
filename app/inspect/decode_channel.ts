import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { GUEST_STATE, GUEST_STATE_NAMES } from "../channel/guest_state.ts";
import { peerOf, stateOf, wantsMbufs } from "../channel/state_word.ts";
import { readCounters } from "../channel/function_counters.ts";
import { BUSY_LCORES, CHANNEL, GUEST, guestBytes, SLEEP } from "../memory/layout.ts";
import type { Memzone } from "../memory/zone.ts";
import { COUNTER } from "../port/counters.ts";
import type { ChannelReport, GuestReport, SleepReport } from "./region_report.ts";

const decoder = new TextDecoder();

/** The counters of a channel, by their places in `COUNTER`: `RX_BYTES` is `rxBytes` in a report. */
export const COUNTER_KEYS: ReadonlyMap<number, string> = new Map(
  Object.entries(COUNTER).filter(([name]) => name !== "COUNT").map(([name, at]) => [
    at,
    name.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
  ]),
);

/** A peer id or vector that is kept plus 1, 0 if there is none. */
export function orNull(word: number): number | null {
  return word === 0 ? null : word - 1;
}

/** Most channels that a guest has: a higher number in a spoiled directory is not believed. */
const CHANNELS_MAX = 32;

/** Decode a guest's control memzone. The caller has checked that it is large enough. */
export function decodeGuest(
  memory: MappedMemory,
  { name, offset, parameter }: Memzone,
): GuestReport {
  const word = (at: number) => memory.load((offset >>> 2) + at);
  const claim = word(GUEST.STATE);
  const state = stateOf(claim);
  return {
    name,
    state: GUEST_STATE_NAMES[state] ?? `${state}`,
    heartbeat: word(GUEST.HEARTBEAT),
    isAlive: null,
    pid: word(GUEST.PID),
    peer: peerOf(claim) ?? null,
    incarnation: word(GUEST.INCARNATION),
    wantsMbufs: wantsMbufs(claim),
    outstanding: word(GUEST.OUTSTANDING),
    isAskedToLeave: word(GUEST.LEAVE) !== 0,
    busy: state === GUEST_STATE.RUNNING ? busyOf(word) : [],
    channels: parameter,
    counted: Object.fromEntries(readCounters(memory.u8.subarray(
      offset + GUEST.COUNTERS * 4,
      offset + guestBytes(Math.min(parameter, CHANNELS_MAX)),
    ))),
  };
}

/**
 * The busy shares of a guest's lcores, as the guest wrote them: the first impossible one ends them.
 */
function busyOf(word: (at: number) => number): number[] {
  const told = Array.from({ length: BUSY_LCORES }, (_, lcore) => word(GUEST.BUSY + lcore));
  const end = told.findIndex((part) => part === 0 || part > 1001);
  return told.slice(0, end < 0 ? BUSY_LCORES : end).map((part) => (part - 1) / 1000);
}

/** Decode a channel's memzone. The caller has checked that it is large enough. */
export function decodeChannel(memory: MappedMemory, { name, offset }: Memzone): ChannelReport {
  const { u8, u32 } = memory;
  const start = offset >>> 2;
  const bytes = (word: number, count: number) =>
    u8.slice(offset + word * 4, offset + word * 4 + count);
  const counters = decodeCounters(bytes(CHANNEL.COUNTERS, COUNTER.COUNT * 8));
  const mac = [...bytes(CHANNEL.MAC, 6)].map((byte) => byte.toString(16).padStart(2, "0"));
  return {
    name,
    portName: decoder.decode(bytes(CHANNEL.PORT_NAME, 16)).split("\0")[0],
    mac: mac.join(":"),
    frameMax: u32[start + CHANNEL.FRAME_MAX],
    headroom: u32[start + CHANNEL.HEADROOM],
    hostSleep: decodeSleep(memory, start + CHANNEL.HOST_SLEEP, counters.rounds ?? 0),
    guestSleep: decodeSleep(
      memory,
      start + CHANNEL.GUEST_SLEEP,
      u32[start + CHANNEL.GUEST_SLEEP + SLEEP.ROUNDS],
    ),
    counters,
  };
}

function decodeSleep(memory: MappedMemory, word: number, rounds: number): SleepReport {
  const count = memory.load(word + SLEEP.COUNT);
  return {
    isTurning: null,
    rounds,
    isAsleep: (count & 1) === 1,
    sleeps: Math.ceil(count / 2),
    vector: orNull(memory.load(word + SLEEP.VECTOR)),
  };
}

function decodeCounters(bytes: Uint8Array<ArrayBuffer>): Record<string, number | null> {
  const values = new Float64Array(bytes.buffer);
  return Object.fromEntries(
    [...COUNTER_KEYS].map(([at, key]) => [key, Number.isFinite(values[at]) ? values[at] : null]),
  );
}
