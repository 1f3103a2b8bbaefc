import { findFunction } from "./function_name.ts";
import {
  type FunctionHandle,
  type FunctionModule,
  loadModule,
  readSettings,
} from "./function_module.ts";

/** A function, as the command line has it. */
export interface FunctionSpec {
  /** A path, or the name of a function that comes with culvert. */
  readonly named: string;
  /** What `--set` gave to it: text by key. */
  readonly set: Readonly<Record<string, string>>;
}

/** The functions of a guest, and what they need of it. */
export interface Functions {
  /** In order. */
  readonly handles: readonly FunctionHandle[];
  /** Whether one of them makes frames: the host is to lend mbufs. */
  readonly originates: boolean;
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
 * Load functions in the main thread, to see that they can be used and what they need.
 *
 * @throws {UsageError} if there is no such file, or an option is wrong.
 * @throws {CulvertError} if a file cannot be loaded, or exports no function.
 */
export async function loadFunctions(specs: readonly FunctionSpec[]): Promise<Functions> {
  const handles: FunctionHandle[] = [];
  let [originates, answers] = [false, false];
  for (const { named, set } of specs) {
    const { name, url } = findFunction(named);
    const module = await loadModule(name, url);
    handles.push({ name, url, options: await readSettings(name, module, set) });
    originates ||= module.originates === true;
    answers ||= module.answers === true;
  }
  return { handles, originates, answers };
}

/** Load the same functions in the thread of an lcore. */
export async function loadInLcore(handles: readonly FunctionHandle[]): Promise<LoadedFunction[]> {
  const load = async (handle: FunctionHandle) => ({
    handle,
    module: await loadModule(handle.name, handle.url),
  });
  return await Promise.all(handles.map(load));
}
