import { UsageError } from "../../ffi/error.ts";
import { checkRegionName } from "../memory/region_name.ts";
import { functionName } from "../vm/image.ts";
import type { Output, QemuRequest } from "../vm/qemu_request.ts";
import { checkUsage, type Parsed } from "./options.ts";
import type { QEMU } from "./tables/vm.ts";

/** Commands that the image's app has. */
const GUEST_COMMANDS = ["guest", "inspect"];

/**
 * What the command line of `culvert qemu` asks for.
 *
 * @throws {UsageError} naming the option, what was found and what is wanted.
 */
export function qemuRequest({ values, rest }: Parsed<typeof QEMU>): QemuRequest {
  const command = GUEST_COMMANDS.includes(rest[0]) ? rest[0] : "guest";
  if (values.vectors !== undefined && !values.doorbell) {
    throw new UsageError("Cannot use --vectors without --doorbell: only then there are interrupts");
  }
  return {
    regions: readRegions(values.region, values["no-region"]),
    guests: values.guest.length === 0 ? [0] : unique("--guest", values.guest),
    numbered: values.guest.length > 0 && command === "guest",
    output: readOutput(values),
    program: values.qemu,
    vectors: values.vectors,
    pin: readPin(values.pin),
    machine: {
      accel: values.accel,
      memoryMiB: values.memory,
      cpus: values.cpus,
      modules: values.module,
      shell: values.shell,
      kernelParameters: values.append,
      doorbell: values.doorbell,
      master: values.master,
      qmp: values.qmp,
      slots: values.hotplug ?? (values.qmp ? 1 : 0),
      hugepages: values.hugepages,
      numaNode: values["numa-node"],
      extra: values["qemu-arg"],
      guestArgs: [
        command,
        ...["--pci", "auto"],
        ...withoutPaths(rest[0] === command ? rest.slice(1) : rest),
      ],
    },
  };
}

/** How a file of functions is told from a name. */
const IS_FILE = /[/]|\.[cm]?[jt]s$/;

/** The files that a guest's arguments name by `--function`: they are to be put into its image. */
export function functionFiles(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => {
    const file = arg.startsWith("--function=")
      ? arg.slice("--function=".length)
      : args[i - 1] === "--function"
      ? arg
      : "";
    return IS_FILE.test(file) ? [file] : [];
  });
}

/** The arguments, with names for the files that the image has. */
function withoutPaths(args: readonly string[]): string[] {
  return args.map((arg, i) => {
    if (args[i - 1] === "--function" && IS_FILE.test(arg)) return functionName(arg);
    const [, file = ""] = /^--function=(.*)$/.exec(arg) ?? [];
    return IS_FILE.test(file) ? `--function=${functionName(file)}` : arg;
  });
}

function readRegions(given: readonly string[], none: boolean): readonly string[] {
  if (none && given.length > 0) {
    throw new UsageError("Cannot use --region and --no-region together: leave one out");
  }
  for (const region of given) checkUsage(() => checkRegionName(region));
  if (given.length > 0) return unique("--region", given);
  return none ? [] : ["culvert0"];
}

function readOutput(values: Record<"json" | "libvirt" | "run", boolean>): Output {
  const asked = (["json", "libvirt", "run"] as const).filter((output) => values[output]);
  if (asked.length < 2) return asked[0] ?? "shell";
  const options = asked.map((output) => `--${output}`).join(" and ");
  throw new UsageError(`Cannot use ${options} together: choose one`);
}

function readPin(text: string | undefined): string | undefined {
  if (text === undefined || /^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text)) return text;
  throw new UsageError(`Cannot use --pin ${text} as it names no cores: write 1 or 2-5,7`);
}

function unique<T>(option: string, values: readonly T[]): readonly T[] {
  const twice = values.find((value, i) => values.indexOf(value) !== i);
  if (twice === undefined) return values;
  throw new UsageError(`Cannot use ${option} ${twice} twice: name each once`);
}
