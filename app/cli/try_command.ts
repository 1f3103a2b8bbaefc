import { CulvertError, kernelError, UsageError } from "../../ffi/error.ts";
import type { CapturedFrame } from "../capture/capture.ts";
import { CaptureReader } from "../capture/capture_reader.ts";
import { CaptureWriter } from "../capture/capture_writer.ts";
import { type FunctionSpec, loadFunctions } from "../guest/function/load.ts";
import { NoExit } from "../guest/function/no_exit.ts";
import { FunctionTrial, SetupError } from "../guest/trial/function_trial.ts";
import { Rejections } from "../guest/trial/rejections.ts";
import { tryCapture } from "../guest/trial/try_capture.ts";
import { stdout } from "../linux/output.ts";
import { frameMaxOf } from "../port/kernel_port.ts";
import { BURST_DEFAULT } from "../ring/burst.ts";
import { TypeChecker } from "./check_types.ts";
import { sayFor } from "./messages.ts";
import type { Parsed } from "./options.ts";
import { readSet } from "./set_option.ts";
import type { TRY } from "./tables/try.ts";
import { TrialWatch } from "./trial_watch.ts";
import { TryReport } from "./try_report.ts";

/** Ports that a guest has for a capture of one interface. */
const PORTS_DEFAULT = 2;

/** The output of `culvert try`. */
export interface TryOutput {
  /** Write a line. */
  line(text: string): void;
  /** Settles when lines are written. */
  flush(): Promise<void>;
}

/**
 * `culvert try`: returns the exit status.
 *
 * @throws {UsageError} if there is no such function, or an option is wrong.
 * @throws {CulvertError} if a file cannot be used, or the capture not be read to its end.
 */
export async function tryCommand(
  { values, given, positionals: [named, input, output] }: Parsed<typeof TRY>,
  out: TryOutput = stdout,
  say: (line: string) => void = sayFor("try"),
  watch: (names: readonly string[]) => TrialWatch | undefined = (names) => new TrialWatch(names),
): Promise<number> {
  using _ = new NoExit();
  using rejections = new Rejections();
  const specs = chainOf(named, given);
  if (values.types) {
    const named = specs.map(({ named }) => named);
    using types = new TypeChecker(named);
    await types.check(named);
  }
  const { loaded } = await loadFunctions(specs);
  using from = openFile(input, { read: true });
  const reader = new CaptureReader(from, input);
  const next = withFirst(reader);
  const ports = values.ports ?? Math.max(PORTS_DEFAULT, reader.interfaces);

  using watched = watch(loaded.map(({ handle }) => handle.name));
  using trial = setUp(loaded, {
    ...{ ports, burst: BURST_DEFAULT, frameMax: frameMaxOf(values.mtu) },
    ...{ onError: values["on-error"], log: say, progress: watched?.progress },
  });
  using to = output === undefined ? undefined : openOutput(output, from);
  const interfaces = Array.from({ length: ports }, (_, port) => ({ name: `port${port}` }));
  const writer = to &&
    new CaptureWriter(to, output.endsWith(".pcapng") ? { interfaces } : undefined);
  const report = new TryReport();
  try {
    for (const step of tryCapture(trial, next)) {
      const lines = report.add(step);
      for (const frame of step.sent) writer?.write(frame);
      if (!values.verbose) continue;
      for (const line of lines) out.line(line);
      await out.flush();
    }
  } finally {
    writer?.flush();
    for (const line of report.summary(trial.counters, trial.frameMax)) out.line(line);
  }
  await rejections.check();
  return trial.failures > 0 ? 1 : 0;
}

/** FUNCTION, and the functions of `--function`, each with the `--set` options behind it. */
function chainOf(named: string, given: Parsed<typeof TRY>["given"]): FunctionSpec[] {
  const specs = [{ named, set: {} as Record<string, string> }];
  for (const { name, value } of given) {
    if (name === "function") specs.push({ named: String(value), set: {} });
    if (name !== "set") continue;
    const [key, text] = readSet(String(value));
    specs.at(-1)!.set[key] = text;
  }
  return specs;
}

function setUp(...[loaded, options]: ConstructorParameters<typeof FunctionTrial>): FunctionTrial {
  try {
    return new FunctionTrial(loaded, options);
  } catch (error) {
    throw error instanceof SetupError ? new CulvertError(error.message) : error;
  }
}

/**
 * The frames of a capture, of which the first is read now: a file describes interfaces before it.
 */
function withFirst(reader: CaptureReader): () => CapturedFrame | undefined {
  const first = reader.next();
  let isRead = false;
  return () => {
    if (isRead) return reader.next();
    isRead = true;
    return first;
  };
}

function openFile(path: string, options: Deno.OpenOptions): Deno.FsFile {
  try {
    return Deno.openSync(path, options);
  } catch (error) {
    throw kernelError(error, `${options.create ? "write" : "open"} capture ${path}`);
  }
}

/** Open a file to be written, which is not the one that is read. */
function openOutput(path: string, from: Deno.FsFile): Deno.FsFile {
  const to = openFile(path, { write: true, create: true });
  const [there, here] = [to.statSync(), from.statSync()];
  if (there.dev === here.dev && there.ino === here.ino) {
    to.close();
    throw new UsageError(`Cannot write ${path} as it is the capture that is read: name another`);
  }
  if (there.isFile) to.truncateSync();
  return to;
}
