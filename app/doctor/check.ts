/** A check's result: all is well; it works, but could do more or be faster; it does not work. */
export type State = "good" | "note" | "bad";

/** What a check found. */
export interface Finding {
  /** What was looked at: a word or two. */
  readonly check: string;
  /** The result. */
  readonly state: State;
  /** What was found. */
  readonly found: string;
  /** What to type, or to do; nothing where all is well. */
  readonly fix?: string;
}

/** What became of opening a device for reading and writing. */
export type Opened = "opened" | "refused" | "absent";

/** A program of ours that runs. */
export interface OurProgram {
  /** Its process id. */
  readonly pid: number;
  /** Its command: `host`. */
  readonly command: string;
  /** Its version; undefined if its files are gone. */
  readonly version: string | undefined;
  /** Whether we may not look at its files: it is another user's. */
  readonly isHidden?: boolean;
  /** Interfaces of its ports. */
  readonly interfaces: readonly string[];
}

/** A region that a server hands out here. */
export interface SeenRegion {
  /** Its name. */
  readonly region: string;
  /** The version of its memory format, and that format's hash; 0 if no host has built it yet. */
  readonly layout: number;
  /** See {@linkcode layout}. */
  readonly hash: number;
}

/** What the doctor can ask a machine. Tests have machines of their own. */
export interface Probes {
  /** The text of a small file; undefined if it is not there, or not ours to read. */
  read(path: string): string | undefined;
  /** Try to open a device. */
  open(path: string): Opened;
  /** What a program prints; undefined if it is not installed, or ends with a failure. */
  run(program: string, ...args: string[]): Promise<string | undefined>;
  /** Cores that we may run on. */
  readonly cores: readonly number[];
  /** Bytes that are free in the file system of a folder; undefined if there is none. */
  freeBytes(folder: string): number | undefined;
  /** Programs of ours that run. */
  programs(): readonly OurProgram[];
  /** Regions that servers hand out, as far as we may look into them. */
  regions(): readonly SeenRegion[];
}

/** All is well. */
export function good(check: string, found: string): Finding {
  return { check, state: "good", found };
}

/** It works, but could be faster or more. */
export function note(check: string, found: string, fix: string): Finding {
  return { check, state: "note", found, fix };
}

/** It does not work. */
export function bad(check: string, found: string, fix: string): Finding {
  return { check, state: "bad", found, fix };
}
