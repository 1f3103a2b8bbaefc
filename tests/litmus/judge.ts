import { Folder } from "../ffi/folder.ts";
import type { Check, Control } from "./controls.ts";
import { type Build, compile, run } from "./programs.ts";

/** How long a control runs, in seconds, and how often at most: most notice a change at once. */
const SECONDS = 0.5, RUNS = 20;

/** What a run showed. */
export interface Judgment {
  readonly isGood: boolean;
  /** What the program and its sanitizer printed, or the part of it that a control looks for. */
  readonly text: string;
}

/** How a check is called in titles and reports: `atomics.c lock, thread sanitizer`. */
export function nameOf({ build: { program, sanitizer }, args }: Check): string {
  const call = [`${program}.c`, ...args].join(" ");
  return sanitizer ? `${call}, ${sanitizer} sanitizer` : call;
}

/** Compiles and runs programs, each build once. To be disposed of. */
export class Judge implements Disposable {
  readonly #folder = new Folder();
  readonly #compiled = new Map<string, Promise<string>>();

  #pathOf(build: Build): Promise<string> {
    const key = JSON.stringify(build);
    const path = this.#compiled.get(key) ?? compile(this.#folder, build);
    this.#compiled.set(key, path);
    return path;
  }

  /** Run a program for some seconds, in which it must find nothing wrong. */
  async check({ build, args }: Check, seconds: number): Promise<Judgment> {
    const { code, text } = await run(await this.#pathOf(build), ...args, seconds);
    return { isGood: code === 0 && /[1-9]\d* rounds, 0 wrong/.test(text), text: text.trim() };
  }

  /** Run a program over a changed shim until it notices, but not for ever. */
  async control({ build, args, notices }: Control): Promise<Judgment> {
    const path = await this.#pathOf(build);
    let text = "";
    for (let i = 0; i < RUNS && !notices.test(text); i++) {
      ({ text } = await run(path, ...args, SECONDS));
    }
    const found = notices.exec(text)?.[0];
    return { isGood: found !== undefined, text: found ?? text.trim() };
  }

  [Symbol.dispose](): void {
    this.#folder[Symbol.dispose]();
  }
}
