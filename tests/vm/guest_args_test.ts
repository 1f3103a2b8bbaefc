import { deepStrictEqual, match, strictEqual, throws } from "node:assert/strict";
import { DECODE_ARGUMENTS, encodeGuestArguments } from "../../app/vm/guest_args.ts";

const AWKWARD = [
  "--portmap",
  "(0,1)(2,3)",
  "two words",
  "",
  "a+b%41%",
  'it\'s "quoted" \\x41 \\',
  "*?[a]",
  "$HOME `id` ;&|<>",
  "tab\tline\nend\n\n",
  "größe-日本",
  "\x041",
  "",
];

/** What the guest's shell makes of an encoded word. */
async function decode(word: string): Promise<string[]> {
  const script = DECODE_ARGUMENTS + `with_arguments "$0" printf '%s\\0'`;
  const command = new Deno.Command("busybox", { args: ["sh", "-c", script, word] });
  const { stdout } = await command.output();
  return new TextDecoder().decode(stdout).split("\0").slice(0, -1);
}

Deno.test("encodeGuestArguments() keeps ordinary arguments readable", () => {
  strictEqual(
    encodeGuestArguments(["guest", "--portmap", "(0,1)(2,3)", "--dir=/dev/shm"]),
    "guest+--portmap+(0,1)(2,3)+--dir=/dev/shm",
  );
});

Deno.test("encodeGuestArguments() leaves nothing that the kernel would split or unquote", () => {
  match(encodeGuestArguments(AWKWARD), /^[!-~]+$/);
  match(encodeGuestArguments(AWKWARD), /^[^"'\\\s]+$/);
});

Deno.test("encodeGuestArguments() refuses a NUL character", () => {
  throws(() => encodeGuestArguments(["a\0b"]), /holds a NUL/);
});

Deno.test("the guest's shell decodes what encodeGuestArguments() encodes", async () => {
  deepStrictEqual(await decode(encodeGuestArguments(AWKWARD)), AWKWARD);
  deepStrictEqual(await decode(encodeGuestArguments(["one"])), ["one"]);
  deepStrictEqual(await decode(encodeGuestArguments([""])), [""]);
});
