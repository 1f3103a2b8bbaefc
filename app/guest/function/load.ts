import { findFunction } from "./function_name.ts";
import {
  type FunctionHandle,
  type FunctionModule,
  loadModule,
  readSettings,
} from "./function_module.ts";

/** A function, as the command line has it. */
export interface FunctionSpec {
  /** A path, or the name of a function that comes with culvert; what it is called if pushed. */
  readonly named: string;
  /** JavaScript, if it was pushed: a module that imports nothing. */
  readonly text?: string;
  /** What `--set` gave to it: text by key. */
  readonly set: Readonly<Record<string, string>>;
}

/** The functions of a guest, and what they need of it. */
export interface Functions {
  /** In order. */
  readonly handles: readonly FunctionHandle[];
  /** Whether one of them makes frames: the host is to lend mbufs. */
  readonly originates: boolean;
  /** Whether all of them take super-frames. */
  readonly offloads: boolean;
  /** Whether frames go back by the port that they came by. */
  readonly answers: boolean;
}

/** A function, loaded in this thread. */
export interface LoadedFunction {
  /** What was asked for. */
  readonly handle: FunctionHandle;
  /** What its file exports. */
  readonly module: FunctionModule;
}

/**
 * Load functions, to see that they can be used and what they need. A thread that has loaded a file
 * before gets the same module again.
 *
 * @throws {UsageError} if there is no such file, or an option is wrong.
 * @throws {CulvertError} if a file cannot be loaded, or exports no function.
 */
export async function loadFunctions(
  specs: readonly FunctionSpec[],
): Promise<{ functions: Functions; loaded: LoadedFunction[] }> {
  const load = async ({ named, text, set }: FunctionSpec): Promise<LoadedFunction> => {
    const { name, module } = text === undefined
      ? await loadFile(named)
      : { name: named, module: await loadText(named, text) };
    return { handle: { name, options: await readSettings(name, module, set) }, module };
  };
  const loaded: LoadedFunction[] = [];
  for (const spec of specs) loaded.push(await load(spec));
  const functions = {
    handles: loaded.map(({ handle }) => handle),
    originates: loaded.some(({ module }) => module.originates === true),
    offloads: loaded.every(({ module }) => module.offloads === true),
    answers: loaded.some(({ module }) => module.answers === true),
  };
  return { functions, loaded };
}

async function loadFile(named: string) {
  const { name, url } = findFunction(named);
  return { name, module: await loadModule(name, url) };
}

/** By a `data:` URL: Deno loads no `blob:` one for a module in node_modules, where a package is. */
async function loadText(name: string, text: string): Promise<FunctionModule> {
  return await loadModule(name, `data:text/javascript,${encodeURIComponent(text)}`);
}
