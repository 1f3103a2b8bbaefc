import { deepEqual, equal, throws } from "node:assert/strict";
import { CulvertError } from "../../ffi/error.ts";
import {
  checkUsage,
  readChoice,
  readNumber,
  readOptions,
  readSize,
} from "../../app/cli/options.ts";

const OPTIONS = {
  size: { type: "string", short: "s", default: "1" },
  name: { type: "string" },
  port: { type: "string", multiple: true },
  loud: { type: "boolean", default: true },
} as const;

Deno.test("readOptions() reads long and short options, negations and repeats", () => {
  const args = ["--size", "5", "--name=a b", "--port", "x", "--port=y", "--no-loud"];
  deepEqual({ ...readOptions(args, OPTIONS) }, {
    size: "5",
    name: "a b",
    port: ["x", "y"],
    loud: false,
  });
  equal(readOptions(["-s", "7"], OPTIONS).size, "7");
  equal(readOptions(["-s7"], OPTIONS).size, "7");
});

Deno.test("readOptions() gives defaults, and undefined where there is none", () => {
  deepEqual({ ...readOptions([], OPTIONS) }, { size: "1", loud: true });
});

for (
  const args of [
    ["--wrong"],
    ["-x"],
    ["word"],
    ["--", "word"],
    ["--size"],
    ["-s"],
    ["--size", "--loud"],
    ["--loud=yes"],
    ["--no-name"],
  ]
) {
  Deno.test(`readOptions() refuses ${args.join(" ")} as a usage error`, () => {
    throws(() => readOptions(args, OPTIONS), {
      name: "UsageError",
      message: /^Cannot read the command line: /,
    });
  });
}

for (const text of ["3", "10", "007"]) {
  Deno.test(`readNumber() takes ${text}, from 3 to 10`, () => {
    equal(readNumber("-q", text, 3, 10), Number(text));
  });
}

for (const text of ["2", "11", "", " 5", "5 ", "-5", "+5", "5.0", "0x5", "1e1", "five", "NaN"]) {
  Deno.test(`readNumber() refuses "${text}", from 3 to 10`, () => {
    throws(() => readNumber("-q", text, 3, 10), {
      name: "UsageError",
      message: `Cannot use -q ${text} as it is no whole number from 3 to 10`,
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
  Deno.test(`readSize() takes ${text} for ${bytes} bytes`, () => {
    equal(readSize("--size", text), bytes);
  });
}

for (const text of ["", "M", "64 M", "64MB", "1.5G", "-1M", "0x10", "64T", "1M2"]) {
  Deno.test(`readSize() refuses "${text}"`, () => {
    throws(() => readSize("--size", text), {
      name: "UsageError",
      message: `Cannot use --size ${text} as it is no size: write 65536, 64M or 1G`,
    });
  });
}

Deno.test("readChoice() takes the words that there are, and no others", () => {
  equal(readChoice("--idle", "poll", ["poll", "adaptive"]), "poll");
  equal(readChoice("--idle", "adaptive", ["poll", "adaptive"]), "adaptive");
  for (const text of ["", "Poll", "pol", "poll "]) {
    throws(() => readChoice("--idle", text, ["poll", "adaptive"]), {
      name: "UsageError",
      message: `Cannot use --idle ${text} as it is none of poll, adaptive`,
    });
  }
});

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
