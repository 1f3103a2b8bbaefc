import { check, CulvertError, FILE_ADVICE } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { CaptureReader } from "../capture/capture_reader.ts";
import { CaptureWriter } from "../capture/capture_writer.ts";
import { OUTBOUND } from "../capture/record.ts";
import { createFile, fileAt } from "../linux/written_file.ts";
import { FRAME_MIN_BYTES, HEADROOM_BYTES } from "../memory/layout.ts";
import { dataWord } from "../mempool/mbuf.ts";
import type { Burst } from "../ring/burst.ts";
import { COUNTER, countFrames } from "./counters.ts";
import type { PortResources } from "./port_resources.ts";
import type { PcapOptions } from "./pcap_options.ts";
import type { HostPort } from "./port.ts";

/** `access` of `shim_file_open()`: read-only, links followed. */
const READ_ONLY = 3;

/** Most bytes of all frames of a capture together. */
const BYTES_MAX = 2 ** 30;

/** How many numbers a port leaves to the next one on its files. */
const NOTES = 6;

/** Nanoseconds without a call after which a port was asleep: it does not catch up on that time. */
const ASLEEP_NS = 100e6;

/** The frames of a capture, in memory that goes to the lcore as it is. */
export interface ReplayedFrames {
  /** All bytes, one frame behind the other. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Where each begins, and behind the last where that ends. */
  readonly starts: Uint32Array;
  /** When each came, in nanoseconds after the first. */
  readonly times: Float64Array;
}

/** An open pcap port; survives `postMessage`. */
export interface PcapSetup {
  /** Tells it from other setups: {@linkcode PcapPort} takes it. */
  readonly kind: "pcap";
  /** As the command line names it: `pcap:in.pcapng,loop`. */
  readonly name: string;
  /** What it does. */
  readonly options: PcapOptions;
  /** What it replays, if it does. */
  readonly frames?: ReplayedFrames;
  /** The file that it writes; -1 for none. */
  readonly fd: number;
  /** How far the last port on these files has come: what it notes when it is closed. */
  readonly left: Float64Array<SharedArrayBuffer>;
}

/**
 * Read the capture, and make the file that is written. Later the port needs no right to either.
 *
 * @throws {CulvertError} if one cannot be opened, or is no capture.
 */
export function openPcap(name: string, options: PcapOptions): PcapSetup {
  const { input, output } = options;
  const frames = input === undefined ? undefined : readFrames(input);
  const fd = output === undefined ? -1 : createFile(output);
  const left = new Float64Array(new SharedArrayBuffer(8 * NOTES));
  return { kind: "pcap", name, options, frames, fd, left };
}

function readFrames(path: string): ReplayedFrames {
  const fd = shim.shim_file_open(cString(path), READ_ONLY);
  check(fd, `open capture ${path}`, FILE_ADVICE);
  const frames: Uint8Array[] = [];
  const times: number[] = [];
  const starts = [0];
  try {
    const reader = new CaptureReader(fileAt(fd, path), path);
    let first: bigint | undefined;
    for (let frame; (frame = reader.next());) {
      first ??= frame.time;
      frames.push(frame.bytes);
      times.push(Math.max(Number(frame.time - first), times.at(-1) ?? 0));
      starts.push(starts.at(-1)! + frame.bytes.length);
      if (starts.at(-1)! > BYTES_MAX) {
        throw new CulvertError(
          `Cannot replay capture ${path} as its frames have more than ${BYTES_MAX} bytes: cut it ` +
            `by editcap -c`,
        );
      }
    }
  } finally {
    shim.shim_fd_close(fd);
  }
  if (frames.length === 0) {
    throw new CulvertError(`Cannot replay capture ${path} as it has no frames: see capinfos`);
  }
  const bytes = new Uint8Array(new SharedArrayBuffer(starts.at(-1)!));
  frames.forEach((frame, i) => bytes.set(frame, starts[i]));
  return { bytes, starts: Uint32Array.from(starts), times: Float64Array.from(times) };
}

/**
 * A port on files (DPDK `net_pcap`): it receives the frames of a capture, and writes those that it
 * sends into another one. Bytes are copied here, so that it is no port for speed.
 *
 * Frames wait for a guest, and for mbufs: none is lost before the guest has it. The next port of
 * the same setup goes on where this one was closed, in both files.
 */
export class PcapPort implements HostPort {
  readonly name: string;
  readonly pollable: number[] = [];
  readonly isUp = true;
  readonly isPatient = true;
  readonly #resources: PortResources;
  readonly #options: PcapOptions;
  readonly #frames?: ReplayedFrames;
  readonly #count: number;
  readonly #lapNs: number;
  readonly #output?: Output;
  readonly #left: PcapSetup["left"];
  #next: number;
  #received: number;
  /** When the first frame of this lap was due, by the clock in nanoseconds. */
  #lapAt: number;
  #startedAt: number;
  #askedAt: number;

  /** Takes over the file of `setup`: closing the port closes it. */
  constructor(setup: PcapSetup, resources: PortResources) {
    const { name, options, frames, fd, left } = setup;
    this.#left = left;
    [this.#next, this.#received, this.#lapAt, this.#startedAt, this.#askedAt] = left;
    const hasBegun = left[NOTES - 1] !== 0;
    this.name = name;
    this.#options = options;
    this.#frames = frames;
    this.#resources = resources;
    this.#count = frames?.times.length ?? 0;
    const last = frames?.times.at(-1) ?? 0;
    // From the last frame to the first of the next lap as long as between two frames.
    this.#lapNs = last + (this.#count > 1 ? last / (this.#count - 1) : 1e9);
    if (fd >= 0) this.#output = new Output(fd, name, hasBegun);
  }

  /** Whether there are frames to come: nothing wakes an lcore for them. */
  get hasFrames(): boolean {
    return this.#next < this.#count;
  }

  rxBurst(burst: Burst, max: number, at = 0): number {
    const frames = this.#frames;
    if (frames === undefined || this.#next >= this.#count) return 0;
    const wanted = this.#due(shim.shim_clock(), max);
    if (wanted === 0) return 0;
    const { mempool, mbufs, counters, frameMax } = this.#resources;
    const n = mempool.allocBurst(burst, wanted, at);
    const { words } = burst;
    let good = at;
    for (let i = 0; i < n; i++) {
      const [from, to] = [frames.starts[this.#next], frames.starts[this.#next + 1]];
      this.#pass();
      const bytes = to - from;
      if (bytes < FRAME_MIN_BYTES || bytes > frameMax) {
        counters[COUNTER.RX]++;
        counters[bytes > frameMax ? COUNTER.OVERSIZE : COUNTER.RUNT]++;
        mempool.free(burst, 1, at + i);
        continue;
      }
      words[good << 1] = words[at + i << 1];
      const word1 = words[(good << 1) + 1] = dataWord(HEADROOM_BYTES, bytes);
      mbufs.u8.set(frames.bytes.subarray(from, to), mbufs.frameByte(words[good << 1], word1));
      good++;
    }
    countFrames(counters, COUNTER.RX, burst, good - at, at);
    return good - at;
  }

  txBurst(burst: Burst, count: number, at = 0): number {
    const { mempool, mbufs, counters } = this.#resources;
    if (this.#output) counters[COUNTER.TX_REFUSED] += this.#output.write(burst, count, at, mbufs);
    if (!this.#output?.isBroken) countFrames(counters, COUNTER.TX, burst, count, at);
    mempool.free(burst, count, at);
    return count;
  }

  refresh(): void {
    this.#output?.flush();
  }

  close(): void {
    this.#left.set([this.#next, this.#received, this.#lapAt, this.#startedAt, this.#askedAt, 1]);
    this.#output?.close();
  }

  /** How many of `max` frames are due. */
  #due(now: number, max: number): number {
    if (this.#askedAt === 0) this.#startedAt = this.#lapAt = now;
    const asleep = now - this.#askedAt > ASLEEP_NS ? now - this.#askedAt : 0;
    if (asleep > 0 && this.#askedAt > 0) {
      this.#startedAt += asleep;
      this.#lapAt += asleep;
    }
    this.#askedAt = now;
    const { rate } = this.#options;
    const left = this.#options.loops && rate !== undefined ? max : this.#count - this.#next;
    const most = Math.min(max, left);
    if (rate === Infinity) return most;
    if (rate !== undefined) {
      const due = Math.floor((now - this.#startedAt) * rate / 1e9) + 1 - this.#received;
      return Math.max(0, Math.min(most, due));
    }
    const { times } = this.#frames!;
    let due = 0;
    while (due < most && this.#lapAt + times[this.#next + due] <= now) due++;
    return due;
  }

  /** Go to the next frame, in a loop from the last to the first. */
  #pass(): void {
    this.#received++;
    if (++this.#next < this.#count || !this.#options.loops) return;
    this.#next = 0;
    this.#lapAt += this.#lapNs;
  }
}

/** The file of what is sent: pcapng, or pcap if its name ends in `.pcap`. */
class Output {
  /** Whether nothing can be written any more. */
  isBroken = false;
  readonly #fd: number;
  readonly #writer: CaptureWriter;

  constructor(fd: number, name: string, isBegun: boolean) {
    this.#fd = fd;
    const file = fileAt(fd, name);
    const writeSync = (bytes: Uint8Array) => {
      if (this.isBroken) return bytes.length;
      try {
        return file.writeSync(bytes);
      } catch {
        this.isBroken = true; // the disk is full; what comes is counted as refused
        return bytes.length;
      }
    };
    const about = name.endsWith(".pcap") ? undefined : { interfaces: [{ name }] };
    this.#writer = new CaptureWriter({ writeSync }, about, isBegun);
  }

  /** Write frames; returns how many were refused. */
  write(burst: Burst, count: number, at: number, mbufs: PortResources["mbufs"]): number {
    if (this.isBroken) return count;
    const time = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
    for (let i = at; i < at + count; i++) {
      const word1 = burst.words[(i << 1) + 1];
      const byte = mbufs.frameByte(burst.words[i << 1], word1);
      const bytes = mbufs.u8.subarray(byte, byte + (word1 >>> 16));
      this.#writer.write({ bytes, wireBytes: bytes.length, port: 0, time, flags: OUTBOUND });
    }
    return 0;
  }

  flush(): void {
    this.#writer.flush();
  }

  close(): void {
    this.flush();
    shim.shim_fd_close(this.#fd);
  }
}
