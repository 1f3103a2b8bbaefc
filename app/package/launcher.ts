import { denoFlags, PERMITTED } from "./permissions.ts";

/** Where the package's files are, for the shell. */
const PLACES = { code: "$dist$functions", shim: "$shim" };

/** A line of the `case` that puts Deno's options before the command's. */
function arm(command: string): string {
  const flags = denoFlags(command, PLACES).map((flag) => flag.includes("$") ? `"${flag}"` : flag);
  return `  ${command}) set -- ${[...flags, '"$@"'].join(" ")} ;;`;
}

/** The text of `bin/culvert`: it becomes Deno, with what the command needs and no more. */
export function launcherText(): string {
  return String.raw`#!/bin/sh
# culvert COMMAND: run it in Deno, which may do what COMMAND needs and no more.
# culvert --show-permissions [COMMAND]: tell what that is.
set -eu

fail() {
  printf 'culvert: %s\n' "$1" >&2
  exit 1
}

root=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
dist=$root/dist
case $root in *,*)
  fail "Cannot start as $root has a comma: Deno could not be told to allow it; install elsewhere" ;;
esac
machine=$(uname -m)
case $machine in
  x86_64) platform=linux-x64-glibc ;;
  aarch64) platform=linux-arm64-glibc ;;
  *) fail "Cannot start as this machine is $machine: Culvert runs on x86_64 and aarch64" ;;
esac
shim=$dist/lib/$machine/libculvert.so

newline='
'

# Deno, where npm and its like put what a package depends on.
deno=
folder=$root
while [ -z "$deno" ] && [ "$folder" != / ]; do
  found=$(readlink -f -- "$folder/node_modules/deno" || :)
  for modules in "$found/node_modules" "$(dirname -- "$found")"; do
    if [ -x "$modules/@deno/$platform/deno" ]; then deno=$modules/@deno/$platform/deno; break; fi
  done
  folder=$(dirname -- "$folder")
done
[ "$deno" ] || fail "Cannot start as Deno's package @deno/$platform is missing: install again,\
 with optional dependencies"

if [ -z "${"${DENO_DIR-}"}" ]; then
  caches=${"${XDG_CACHE_HOME:-${HOME:-}/.cache}"}
  export DENO_DIR="$caches/culvert/deno"
fi
export DENO_NO_UPDATE_CHECK=1

show=
if [ "${"${1-}"}" = --show-permissions ]; then
  shift
  if [ $# -eq 0 ]; then
    for command in ${PERMITTED.join(" ")}; do
      echo "$command:"
      "$0" --show-permissions "$command" | sed 's/^/  /'
    done
    exit
  fi
  show=yes
fi

# Whether a project's configuration, and with it maybe an import map, is above a file.
has_config() {
  above=$(cd -- "$(dirname -- "$1")" 2>/dev/null && pwd) || return 1
  while [ ! -e "$above/deno.json" ] && [ ! -e "$above/deno.jsonc" ]; do
    [ "$above" != / ] || return 1
    above=$(dirname -- "$above")
  done
  case $above in *,*) return 1 ;; esac
  functions=$functions,$above/deno.json,$above/deno.jsonc
}

# The folders of functions that are files, each with a comma before it, and files with an import map.
functions=
mapped=
types=
option=
for word; do
  case $word in --function=*) option=--function word=${"${word#--function=}"} ;; esac
  case $option:$word in --function:*/* | --function:*.[jt]s | --function:*.[cm][jt]s)
    case $word in *,*) fail "Cannot use $word as it has a comma: Deno could not be told to allow it"
    esac
    functions=$functions,$(dirname -- "$word") ;;
  esac
  case $option:$word in --function:*.[jt]s | --function:*.[cm][jt]s)
    if has_config "$word"; then mapped=$mapped$word$newline; fi ;;
  *:--types) types=yes ;;
  *) case ${"${1-}"}:$word in try:*.[jt]s | try:*.[cm][jt]s)
      if has_config "$word"; then mapped=$mapped$word$newline; fi ;;
    esac ;;
  esac
  option=$word
done
imports=$dist/imports.json
if [ "$mapped" ]; then
  imports=$("$deno" run --no-config --no-lock --allow-read "$dist/app/cli/import_map.js" "$mapped") ||
    fail "Cannot start as the project's deno.json cannot be used: see above"
  folders=${'${imports#*"$newline"}'}
  case $imports in *"$newline"*) functions=$functions$folders ;; esac
  imports=${'${imports%%"$newline"*}'}
fi

command=${"${1-}"}
main=$dist/app/main.js
set -- "$main" "$@"
case $command in
${PERMITTED.map(arm).join("\n")}
  build-shim) set -- --no-prompt "--allow-read=$dist" "--allow-write=$dist/lib" --allow-run=cc \
    "$dist/shim/build.js" "$shim" ;;
  *) set -- --no-prompt "$@" ;;
esac

if [ "$types" ]; then set -- "--allow-run=$deno" "$@"; fi

if [ "$show" ]; then
  for word; do
    case $word in "$dist"/*) exit ;; esac
    printf '%s\n' "$word"
  done
fi
exec "$deno" run --no-config --no-lock --node-modules-dir=manual "--import-map=$imports" \
  "$@"
`;
}
