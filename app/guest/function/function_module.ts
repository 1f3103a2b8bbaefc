import { CulvertError, UsageError } from "../../../ffi/error.ts";
import type { Context } from "./context.ts";
import type { FrameBurst } from "./frame_burst.ts";

/** What happens to a burst of frames in a guest: the default export of a user's file. */
export type FrameFunction = (burst: FrameBurst) => void;

/**
 * A schema that checks the options of a function, as valibot, zod and others make it
 * (https://standardschema.dev, version 1).
 */
export interface OptionsSchema {
  /** The properties that the specification asks for. */
  readonly "~standard": {
    /** Check the values that were given by `--set`; what comes out is what the function gets. */
    validate(value: unknown): Validated | Promise<Validated>;
  };
}

/** The values, or what is wrong with them. */
export type Validated =
  | { readonly value: unknown; readonly issues?: undefined }
  | { readonly issues: readonly { message: string; path?: readonly unknown[] }[] };

/** What a file may export. It exports a default, or `setup`, or both. */
export interface FunctionModule {
  /** Called with each burst. */
  readonly default?: FrameFunction;
  /**
   * Called in each lcore before the first burst, and again when ports come or go or the host starts
   * anew. It may return the function, which then keeps what it needs in variables of its own.
   */
  setup?(context: Context): FrameFunction | void;
  /** Checks what `--set` gave; without it there are no options. */
  readonly options?: OptionsSchema;
  /**
   * Makes frames: the host lends mbufs for them, and bursts without frames are passed on as well.
   */
  readonly originates?: boolean;
  /**
   * Takes super-frames: TCP and UDP packets of up to 64 KB that are cut only when they leave, with
   * checksums that are completed then. If all functions of the guest do, they get them whole; else
   * they get frames of the MTU. {@linkcode FrameBurst.isSuperFrame} tells them from others.
   */
  readonly offloads?: boolean;
  /** Frames go back by the port that they came by, unless it sends them elsewhere. */
  readonly answers?: boolean;
  /**
   * Gives what is to be known after the next `setup()`, of the file's next version or of this one:
   * anything that `structuredClone()` can copy. Each lcore has its own.
   */
  save?(): unknown;
  /** Called after `setup()`, before the first burst, with what `save()` has given. */
  restore?(saved: unknown): void;
}

/** A function that is to be used; survives `postMessage`. */
export interface FunctionHandle {
  /** What logs and tables call it: the file's name. */
  readonly name: string;
  /** Its options, as its schema has made them of `--set`. */
  readonly options: unknown;
}

const CALLED = ["default", "setup", "save", "restore"] as const;
const FLAGS = ["originates", "offloads", "answers"] as const;
const KNOWN: readonly string[] = [...CALLED, ...FLAGS, "options"];

/**
 * Load a file.
 *
 * @throws {CulvertError} if it cannot be loaded, with what is wrong in it and where, or if it
 * exports no function.
 */
export async function loadModule(name: string, url: string): Promise<FunctionModule> {
  let module: FunctionModule & Record<string, unknown>;
  try {
    module = await import(url);
  } catch (error) {
    throw new CulvertError(`Cannot load function ${name} as ${reasonOf(error)}`, { cause: error });
  }
  checkExports(name, module);
  return module;
}

/**
 * See that a module can be used as a function.
 *
 * @throws {CulvertError} naming what it exports, and what is wanted.
 */
export function checkExports(name: string, module: FunctionModule): void {
  const refuse = (found: string, wanted: string) =>
    new CulvertError(`Cannot use function ${name} as ${found}: ${wanted}`);
  for (const what of CALLED) {
    if (module[what] !== undefined && typeof module[what] !== "function") {
      const isDefault = what === "default";
      const wanted = isDefault ? "export default function (burst) {}" : `export function ${what}()`;
      throw refuse(`its ${what} is no function`, wanted);
    }
    if (isAsync(module[what])) {
      throw refuse(`its ${what} is async`, "nothing waits for it, await at the file's top level");
    }
  }
  for (const flag of FLAGS) {
    if (module[flag] === undefined || typeof module[flag] === "boolean") continue;
    throw refuse(`its ${flag} is no boolean`, `export const ${flag} = true`);
  }
  const { options } = module;
  if (options !== undefined && typeof options?.["~standard"]?.validate !== "function") {
    throw refuse("its options are no schema", "export const options = plainOptions({ rate: 100 })");
  }
  for (const key of Object.keys(module).filter((key) => !KNOWN.includes(key))) {
    const meant = KNOWN.find((known) => wordOf(known) === wordOf(key));
    if (meant === undefined || meant in module) continue;
    throw refuse(`it exports ${key}`, `export ${meant}, or give ${key} a name unlike it`);
  }
  if (module.default === undefined && module.setup === undefined) {
    const exported = Object.keys(module).filter((key) => !KNOWN.includes(key));
    const others = exported.length > 0 ? `only ${exported.join(", ")}` : "nothing";
    throw refuse(`it exports ${others}`, "export default function (burst) {}");
  }
}

/**
 * The options of a function.
 *
 * @param given What `--set` gave to it: text by key.
 * @throws {UsageError} naming the key, what was found and what is wanted.
 */
export async function readSettings(
  name: string,
  { options: schema }: FunctionModule,
  given: Readonly<Record<string, string>>,
): Promise<unknown> {
  if (schema === undefined) {
    const [key] = Object.keys(given);
    if (key === undefined) return {};
    throw new UsageError(`Cannot set ${key} as function ${name} has no options`);
  }
  const validated = await schema["~standard"].validate(given);
  if (validated.issues === undefined) return validated.value;
  const [{ message, path = [] }] = validated.issues;
  const [first] = path;
  const key = typeof first === "object" && first !== null && "key" in first ? first.key : first;
  const what = key === undefined ? "options" : `${String(key)}=${given[String(key)] ?? ""}`;
  throw new UsageError(`Cannot set ${what} of function ${name} as ${message}`);
}

/** The same for `option`, `Options` and `options`, or `set_up` and `setup`. */
function wordOf(name: string): string {
  return name.toLowerCase().replaceAll("_", "").replace(/s$/, "");
}

/** Whether calling it gives a promise. */
export function isAsync(run: unknown): boolean {
  return Object.prototype.toString.call(run) === "[object AsyncFunction]";
}

/** What went wrong, with the place in the file as Deno tells it. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.message.includes("ERR_UNSUPPORTED_NODE_MODULES_TYPE_STRIPPING")) {
    return "Deno runs no TypeScript in a folder node_modules: copy the file out of there";
  }
  const message = withoutFlag(plain(error.message));
  const place = PLACE.exec(plain(error.stack ?? ""))?.[1];
  return place && !PLACE.test(message) ? `${message} at ${place}` : message;
}

/** A place in a file, as stacks have it. */
const PLACE = /\(?(file:\/\/[^\s)]+:\d+:\d+)\)?/;

/** What Deno says without colours, and with the advice that fits a function. */
function plain(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replaceAll(/\x1b\[[\d;]*m/g, "").replace(
    /\s*hint: If you want to use the npm package, try running `deno add npm:(.*)`/,
    (_, named) =>
      named.startsWith("culvert/")
        ? `: did you mean ${named.replace("culvert", "culvert-net")}?`
        : `: write ./ before a file's name; a package is there after npm install ${named}`,
  );
}

/** Deno advises to give it a flag, but the command `culvert` starts Deno. */
export function withoutFlag(text: string): string {
  return text.replace(/, run again with the --allow-[\w-]+ flag/, ": functions do not have that");
}
