import { CulvertError } from "../../ffi/error.ts";
import { CaptureBytes, type CapturedFrame, type CaptureFile } from "./capture.ts";
import { isPcap, readPcap } from "./pcap.ts";
import { isPcapng, PcapngReader } from "./pcapng.ts";

/**
 * Reads a capture of Ethernet frames, one after another: pcap, of micro- or nanoseconds, or pcapng,
 * in either byte order. No more of the file is in memory than a frame and a chunk.
 */
export class CaptureReader {
  readonly #pcapng?: PcapngReader;
  readonly #frames: Generator<CapturedFrame>;

  /**
   * Read the start of a file.
   *
   * @param name What messages call it.
   * @throws {CulvertError} if it is no capture.
   */
  constructor(file: Pick<CaptureFile, "readSync">, name: string) {
    const bytes = new CaptureBytes(file, name);
    const start = bytes.has(4) ? new DataView(bytes.take(4, "").buffer.slice(0, 4)) : undefined;
    if (start && isPcapng(start)) {
      this.#pcapng = new PcapngReader(bytes);
      this.#frames = this.#pcapng.frames();
    } else if (start && isPcap(start)) this.#frames = readPcap(bytes, start);
    else {
      const found = start ? `it begins with ${hex(start)}` : "it has less than 4 bytes";
      throw new CulvertError(`Cannot read capture ${name} as ${found}: pcap or pcapng is wanted`);
    }
  }

  /** Interfaces that the file has described so far. */
  get interfaces(): number {
    return this.#pcapng?.interfaces ?? 1;
  }

  /**
   * The next frame; undefined at the end.
   *
   * @throws {CulvertError} if the file is cut off or damaged, or the frame is not of Ethernet.
   */
  next(): CapturedFrame | undefined {
    return this.#frames.next().value ?? undefined;
  }
}

function hex(start: DataView): string {
  return start.getUint32(0).toString(16).padStart(8, "0");
}
