import type { OptionsSchema, Validated } from "./function_module.ts";

/** Defaults of options, by key. The kind of the default is the kind of the option. */
export type Defaults = Readonly<Record<string, boolean | number | string>>;

/**
 * A schema of options that are plain: each has a default, and takes what is of the same kind.
 *
 * @example
 * ```ts
 * import { type Context, plainOptions } from "../../function.ts";
 *
 * export const options = plainOptions({ rate: 1000, verbose: false });
 *
 * export function setup({ options: { rate } }: Context<{ rate: number }>) {
 *   console.assert(rate > 0); // culvert guest --function my.ts --set rate=50
 * }
 * ```
 */
export function plainOptions(defaults: Defaults): OptionsSchema {
  return { "~standard": { validate: (given) => validate(defaults, given as Given) } };
}

type Given = Readonly<Record<string, string>>;

function validate(defaults: Defaults, given: Given): Validated {
  const value: Record<string, boolean | number | string> = { ...defaults };
  for (const [key, text] of Object.entries(given)) {
    const issue = (message: string) => ({ issues: [{ message, path: [key] }] });
    if (!Object.hasOwn(defaults, key)) {
      return issue(`there is no such option: it has ${Object.keys(defaults).join(", ") || "none"}`);
    }
    const wanted = typeof defaults[key];
    if (wanted === "string") value[key] = text;
    else if (wanted === "boolean" && /^(true|false)$/.test(text)) value[key] = text === "true";
    else if (wanted === "number" && text.trim() !== "" && Number.isFinite(Number(text))) {
      value[key] = Number(text);
    } else {
      return issue(`that is no ${wanted === "number" ? "number" : "true or false"}`);
    }
  }
  return { value };
}
