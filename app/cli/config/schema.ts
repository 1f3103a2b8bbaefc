import { alternatives, type Option, type Options } from "../command.ts";

/** The library that checks values: loaded when a file is read, not when the program starts. */
export type Valibot = typeof import("valibot");

/** What checks a value. */
export type Schema = Parameters<Valibot["safeParse"]>[0];

/** The values that an option takes in a file. */
export function optionSchema(v: Valibot, option: Option): Schema {
  switch (option.kind) {
    case "flag":
      return v.boolean("true or false is wanted");
    case "number": {
      const { least, most, decimals } = option;
      const wanted = `a ${decimals ? "" : "whole "}number is wanted`;
      return v.pipe(
        v.number(wanted),
        v.check((value) => decimals === true || Number.isSafeInteger(value), wanted),
        v.minValue(least, `at least ${least}`),
        v.maxValue(most ?? Number.MAX_SAFE_INTEGER, `at most ${most}`),
      );
    }
    case "size": {
      const wanted = 'a size is wanted: 65536, "64M" or "1G"';
      const written = v.pipe(v.string(), v.regex(/^\d+[KMG]?$/i, wanted));
      return v.union(
        [written, v.pipe(v.number(), v.safeInteger(wanted), v.minValue(0, wanted))],
        wanted,
      );
    }
    case "choice":
      return v.picklist(option.choices, `${alternatives(option.choices.map(quoted))} is wanted`);
    case "list": {
      const wanted = `words in [] are wanted, of ${option.choices.map(quoted).join(", ")}`;
      return v.array(v.picklist(option.choices, wanted), wanted);
    }
    case "text": {
      const text = v.pipe(
        v.union([v.string(), v.number()], "a text is wanted"),
        v.check((value) => value !== "", "a text is wanted, and this one is empty"),
      );
      return option.many
        ? v.union([text, v.array(text)], "a text is wanted, or texts in []")
        : text;
    }
  }
}

/** The options of a table, none of which has to be there. */
export function optionsSchema(v: Valibot, options: Options): Record<string, Schema> {
  return Object.fromEntries(
    Object.entries(options).map(([name, option]) => [name, v.optional(optionSchema(v, option))]),
  );
}

function quoted(word: string): string {
  return `"${word}"`;
}
