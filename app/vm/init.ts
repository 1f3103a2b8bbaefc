/**
 * The guest's `/init`: a busybox shell script that mounts what Deno needs, runs the guest command,
 * says how it ended, and powers off.
 *
 * @module
 */

import { DECODE_ARGUMENTS } from "./guest_args.ts";

/** Where the image keeps the bundled guest app. */
export const GUEST_APP_PATH = "/culvert/guest.js";

/**
 * Where the image keeps the shim: beside the app, under the name that the app's bundle refers to.
 */
export const GUEST_SHIM_PATH = "/culvert/libculvert.so";

/** Where the image keeps functions, beside the app as its bundle expects them. */
export const GUEST_FUNCTIONS_PATH = "/culvert/functions";

/** The word before the guest command's exit status in the last line that the console shows. */
const EXIT_WORD = "culvert-guest-exit";

/**
 * Deno's flags in the guest: it needs the shim and its own file, and is to look for nothing else.
 * What the guest reads in /proc and /sys goes through the shim, as Deno would want `--allow-all`
 * for it.
 */
const GUEST_DENO_FLAGS: readonly string[] = [
  `--allow-ffi=${GUEST_SHIM_PATH}`,
  "--allow-read=/culvert",
  "--no-prompt",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
];

/** Options of the kernel's command line that `/init` understands. */
export const KERNEL_PARAMETERS = {
  /** The guest command's arguments, encoded by `encodeGuestArguments`. */
  arguments: "culvert.args",
  /** Comma-separated kernel modules to load first, dependencies included. */
  modules: "culvert.modules",
  /** A shell on the console instead of the guest command. */
  shell: "culvert.shell",
} as const;

/** Returns the text of `/init`. */
export function initScript(): string {
  return String.raw`#!/bin/sh
export PATH=/bin HOME=/tmp DENO_DIR=/tmp/deno DENO_NO_UPDATE_CHECK=1 NO_COLOR=1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /tmp

${DECODE_ARGUMENTS}
encoded_arguments= modules= shell=
for parameter in $(cat /proc/cmdline); do
  case $parameter in
    ${KERNEL_PARAMETERS.arguments}=*) encoded_arguments=${"${parameter#*=}"} ;;
    ${KERNEL_PARAMETERS.modules}=*) modules=${"${parameter#*=}"} ;;
    ${KERNEL_PARAMETERS.shell}) shell=yes ;;
  esac
done

IFS=,
for module in $modules; do
  modprobe "$module" || echo "Cannot load module $module: the image may not hold it"
done
unset IFS

if [ "$shell" ]; then
  echo "Culvert guest shell; the app is ${GUEST_APP_PATH}; leave by: exit"
  setsid cttyhack sh
else
  stty -onlcr -echo
  with_arguments "$encoded_arguments" \
    deno run ${GUEST_DENO_FLAGS.join(" ")} ${GUEST_APP_PATH}
fi
echo "${EXIT_WORD} $?"
stty onlcr # returns when the serial port has sent everything, which poweroff would cut off
poweroff -f
`;
}

/**
 * Finds the guest command's exit status in what the console showed; `undefined` if it did not get
 * that far.
 */
export function parseExitStatus(console: string): number | undefined {
  const match = console.match(new RegExp(`^${EXIT_WORD} (\\d+)\\r?$`, "m"));
  return match ? Number(match[1]) : undefined;
}
