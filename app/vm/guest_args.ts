/**
 * Carries a guest's arguments through the kernel's command line, which splits at spaces and treats
 * quotes its own way.
 *
 * The encoding is that of a URL's query: arguments are joined by `+`, and every byte that is not
 * plainly safe becomes `%XX`. `--portmap "(0,1)(2,3)"` becomes `--portmap+(0,1)(2,3)`, which one
 * can still read in the QEMU command line. {@linkcode DECODE_ARGUMENTS} is the other half, for
 * busybox's shell in the guest.
 *
 * @module
 */

const UNSAFE = /[^A-Za-z0-9_.,:\/()=@~-]/gu;

/**
 * Encodes arguments as one word for the kernel's command line. An empty argument becomes `%00`, as
 * a shell's word splitting would lose it.
 *
 * @throws {RangeError} If an argument holds a NUL character, which no program can receive.
 */
export function encodeGuestArguments(args: readonly string[]): string {
  return args.map(encodeOne).join("+");
}

function encodeOne(arg: string): string {
  if (arg.includes("\0")) {
    throw new RangeError(
      `Cannot pass argument ${JSON.stringify(arg)} to the guest as it holds a NUL: remove it`,
    );
  }
  return arg === "" ? "%00" : arg.replace(UNSAFE, percent);
}

function percent(character: string): string {
  const bytes = new TextEncoder().encode(character);
  return Array.from(bytes, (byte) => "%" + byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Shell function `with_arguments WORD COMMAND...` for busybox's ash: runs the command with the
 * decoded arguments added. `printf %b` turns `\xXX` into a byte; the dot keeps `$()` from eating
 * newlines at an argument's end.
 */
export const DECODE_ARGUMENTS: string = String.raw`with_arguments() {
  encoded=$1
  shift
  IFS=+
  for word in $encoded; do
    word=$(printf '%b.' "${"${word//%/\\\\x}"}")
    set -- "$@" "${"${word%.}"}"
  done
  unset IFS
  "$@"
}
`;
