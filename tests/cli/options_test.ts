import { deepEqual, equal, throws } from "node:assert/strict";
import { CulvertError } from "../../ffi/error.ts";
import type { Command } from "../../app/cli/command.ts";
import { checkUsage, parseOptions } from "../../app/cli/options.ts";
import { parsed } from "./tables.ts";

const about = "something";
const TABLE = {
  name: "try",
  summary: about,
  usage: ["[options]"],
  options: {
    "size": { kind: "size", argument: "BYTES", short: "s", default: "64K", about },
    "name": { kind: "text", argument: "NAME", about },
    "port": { kind: "text", argument: "PORT", many: true, about },
    "count": { kind: "number", argument: "N", short: "n", least: 3, most: 10, default: 5, about },
    "speed": { kind: "number", argument: "N", least: 1, about },
    "wait": { kind: "number", argument: "S", decimals: true, least: 0, about },
    "mode": { kind: "choice", argument: "MODE", choices: ["poll", "sleep"], about },
    "only": { kind: "list", argument: "KIND,KIND", choices: ["a", "b", "c"], about },
    "loud": { kind: "flag", short: "v", default: true, about },
    "quick": { kind: "flag", short: "q", about },
  },
} as const satisfies Command;

const WITH_ARGUMENTS = {
  name: "take",
  summary: about,
  usage: ["FROM [TO] [-- WORD...]"],
  positionals: [{ name: "FROM", about }, { name: "TO", optional: true, about }],
  rest: { name: "WORD...", about },
  options: { "quick": { kind: "flag", about } },
} as const satisfies Command;

function read(...args: string[]) {
  return parsed(TABLE, args).values;
}

Deno.test("parseOptions() gives each option its type, and each of `many` in order", () => {
  deepEqual(
    read(
      ...["--size", "5K", "--name=a b", "--port", "x", "--port=y", "--no-loud", "-q", "-n", "7"],
      ...["--mode", "sleep", "--only", "c,a", "--speed=20000000", "--wait", "0.25"],
    ),
    {
      size: 5120,
      name: "a b",
      port: ["x", "y"],
      count: 7,
      speed: 20_000_000,
      wait: 0.25,
      mode: "sleep",
      only: ["c", "a"],
      loud: false,
      quick: true,
    },
  );
});

Deno.test("parseOptions() gives defaults, and undefined where there is none", () => {
  deepEqual(read(), {
    size: 65536,
    name: undefined,
    port: [],
    count: 5,
    speed: undefined,
    wait: undefined,
    mode: undefined,
    only: undefined,
    loud: true,
    quick: false,
  });
});

Deno.test("parseOptions() takes short options together and with their values, the last one counts", () => {
  const { size, loud, quick } = read("-vqs7", "-s", "8", "--no-quick");
  deepEqual([size, loud, quick], [8, true, false]);
});

Deno.test("parseOptions() tells in which order options were given", () => {
  deepEqual(parsed(TABLE, ["--port", "x", "-n3", "--port", "y"]).given, [
    { name: "port", value: "x" },
    { name: "count", value: 3 },
    { name: "port", value: "y" },
  ]);
});

Deno.test("parseOptions() tells arguments, and what stands behind --", () => {
  const { positionals, rest } = parsed(WITH_ARGUMENTS, [
    "a",
    "--quick",
    "b",
    "--",
    "-h",
    "--",
    "c",
  ]);
  deepEqual([positionals, rest], [["a", "b"], ["-h", "--", "c"]]);
  deepEqual(parsed(TABLE, ["--"]).positionals, []);
});

for (const args of [["-h"], ["--help"], ["--count", "no", "--help"], ["-qh"], ["--wrong", "-h"]]) {
  Deno.test(`parseOptions() sees that ${args.join(" ")} asks for help`, () => {
    equal(parseOptions(TABLE, args), undefined);
  });
}

const HELP = "culvert try --help lists those that there are";
for (
  const [args, message] of [
    [["--wrong"], `Cannot use --wrong as culvert try has no such option: ${HELP}`],
    [["-x"], `Cannot use -x as culvert try has no such option: ${HELP}`],
    [
      ["--cuont", "3"],
      `Cannot use --cuont as culvert try has no such option: did you mean --count? ${HELP}`,
    ],
    [
      ["--no-lout"],
      `Cannot use --no-lout as culvert try has no such option: did you mean --no-loud? ${HELP}`,
    ],
    [["--no-name"], `Cannot use --no-name as culvert try has no such option: ${HELP}`],
    [["--toString"], `Cannot use --toString as culvert try has no such option: ${HELP}`],
    [["--__proto__"], `Cannot use --__proto__ as culvert try has no such option: ${HELP}`],
    [
      ["word"],
      'Cannot use "word" as culvert try takes options alone: culvert try --help tells more',
    ],
    [
      ["--", "word"],
      'Cannot use "word" as culvert try takes options alone: culvert try --help tells more',
    ],
    [["--size"], "Cannot use --size as nothing follows it: write --size BYTES"],
    [["-s"], "Cannot use -s as nothing follows it: write -s BYTES"],
    [
      ["--size", "--loud"],
      "Cannot use --size --loud as that looks like an option: write --size BYTES, or " +
      "--size=--loud if it is meant",
    ],
    [["--loud=yes"], "Cannot use --loud=yes as it takes no value: write --loud"],
    [["--no-loud=yes"], "Cannot use --no-loud=yes as it takes no value: write --no-loud"],
    [
      ["--mode", "Poll"],
      "Cannot use --mode Poll as it is none of poll or sleep: did you mean poll?",
    ],
    [["--mode="], "Cannot use --mode  as it is none of poll or sleep"],
    [["--only", "a,d"], "Cannot use --only d as it is none of a, b or c"],
    [["--speed", "1.5"], "Cannot use --speed 1.5 as it is no whole number of 1 or more"],
    [["--wait", "1."], "Cannot use --wait 1. as it is no number of 0 or more"],
    [["--speed", "0"], "Cannot use --speed 0 as it is no whole number of 1 or more"],
  ] as [string[], string][]
) {
  Deno.test(`parseOptions() refuses ${args.join(" ")} as a usage error`, () => {
    throws(() => read(...args), { name: "UsageError", message });
  });
}

Deno.test("parseOptions() refuses too few arguments and too many", () => {
  throws(() => parsed(WITH_ARGUMENTS, []), {
    name: "UsageError",
    message:
      "Cannot run culvert take as FROM is missing: write culvert take FROM [TO] [-- WORD...]",
  });
  throws(() => parsed(WITH_ARGUMENTS, ["a", "b", "c"]), {
    name: "UsageError",
    message: 'Cannot use "c" as culvert take takes no more than FROM, TO: ' +
      "culvert take --help tells more",
  });
});

for (const text of ["3", "10", "007"]) {
  Deno.test(`parseOptions() takes the number ${text}, from 3 to 10`, () => {
    equal(read("-n", text).count, Number(text));
  });
}

for (const text of ["2", "11", "", " 5", "5 ", "-5", "+5", "5.0", "0x5", "1e1", "five", "NaN"]) {
  Deno.test(`parseOptions() refuses the number "${text}", from 3 to 10`, () => {
    throws(() => read(`--count=${text}`), {
      name: "UsageError",
      message: `Cannot use --count ${text} as it is no whole number from 3 to 10`,
    });
  });
}

for (
  const [text, bytes] of [
    ["0", 0],
    ["65536", 65536],
    ["512K", 2 ** 19],
    ["64M", 2 ** 26],
    ["64m", 2 ** 26],
    ["4G", 2 ** 32],
  ] as const
) {
  Deno.test(`parseOptions() takes the size ${text} for ${bytes} bytes`, () => {
    equal(read("--size", text).size, bytes);
  });
}

for (const text of ["", "M", "64 M", "64MB", "1.5G", "-1M", "0x10", "64T", "1M2"]) {
  Deno.test(`parseOptions() refuses the size "${text}"`, () => {
    throws(() => read(`--size=${text}`), {
      name: "UsageError",
      message: `Cannot use --size ${text} as it is no size: write 65536, 64M or 1G`,
    });
  });
}

Deno.test("checkUsage() makes a usage error of what a check refuses, and of nothing else", () => {
  checkUsage(() => {});
  const check = (error: Error) => () =>
    checkUsage(() => {
      throw error;
    });
  throws(check(new CulvertError("Cannot use it")), {
    name: "UsageError",
    message: "Cannot use it",
  });
  throws(check(new TypeError("a bug")), { name: "TypeError" });
});
