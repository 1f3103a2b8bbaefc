import type { CapturedFrame, CaptureFile, InterfaceCounts } from "./capture.ts";
import { CaptureWriter, type Description } from "./capture_writer.ts";

/** A file that can be written, and closed. */
export type OutputFile = Pick<CaptureFile, "writeSync"> & { close(): void };

/** Opens and removes the files of a capture. */
export interface OutputFiles {
  /** Make a file, empty. */
  create(path: string): OutputFile;
  /** Remove a file. */
  remove(path: string): void;
}

/** Files that take turns. */
export interface FileRing {
  /** How many files are kept. */
  readonly files: number;
  /** Bytes after which the next one is begun. */
  readonly bytes: number;
}

/**
 * Where a capture goes: a file; or several that take turns, of which the oldest is removed, as in
 * dumpcap's ring buffer: `NAME_00001_20261130123456.pcapng`. Each file is complete by itself.
 */
export class CaptureOutput {
  readonly #made: string[] = [];
  #file: OutputFile;
  #writer: CaptureWriter;
  #number = 0;
  #begun = now();

  /**
   * Begin the first file.
   *
   * @param counts What was counted until now, of each interface.
   */
  constructor(
    private readonly path: string,
    private readonly description: Description,
    private readonly files: OutputFiles,
    private readonly counts: () => readonly InterfaceCounts[],
    private readonly ring?: FileRing,
  ) {
    [this.#file, this.#writer] = this.#begin();
  }

  /** Write a frame. */
  write(frame: CapturedFrame): void {
    this.#writer.write(frame);
    this.#turn();
  }

  /** Write blocks as they are. */
  writeBlocks(blocks: Uint8Array): void {
    this.#writer.writeBlocks(blocks);
    this.#turn();
  }

  /** Write what is in the buffer. */
  flush(): void {
    this.#writer.flush();
  }

  /** Write the statistics of the interfaces, and close the file. */
  end(): void {
    const end = now();
    try {
      for (const counts of this.counts()) this.#writer.writeCounts(counts, this.#begun, end);
      this.#writer.flush();
    } finally {
      this.#file.close();
    }
  }

  #turn(): void {
    if (this.ring === undefined || this.#writer.length < this.ring.bytes) return;
    this.end();
    [this.#file, this.#writer] = this.#begin();
    while (this.#made.length > this.ring.files) this.files.remove(this.#made.shift()!);
  }

  #begin(): [OutputFile, CaptureWriter] {
    const path = this.ring === undefined ? this.path : numbered(this.path, ++this.#number);
    const file = this.files.create(path);
    this.#made.push(path);
    return [file, new CaptureWriter(file, this.description)];
  }
}

/** The name of a file of a ring. */
function numbered(path: string, number: number): string {
  const [, stem, suffix] = /^(.*?)(\.[^./]*)?$/s.exec(path)!;
  const stamp = new Date().toISOString().replace(/\D/g, "").slice(0, 14);
  return `${stem}_${String(number).padStart(5, "0")}_${stamp}${suffix ?? ""}`;
}

/** Nanoseconds since 1970. */
function now(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
