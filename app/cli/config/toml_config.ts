import { didYouMean } from "../did_you_mean.ts";
import { ConfigError, type Fault } from "./config_error.ts";
import type { Schema, Valibot } from "./schema.ts";
import { type Path, readToml, type Toml, TomlError } from "./toml.ts";

/** Not a literal: see {@linkcode Valibot}. */
const VALIBOT = "valibot";

/** The keys that tables may have, by the names on the way to them: `region.guest`. */
export type KnownKeys = Readonly<Record<string, readonly string[]>>;

/**
 * Read a TOML file, and check it.
 *
 * @param file Its name, for errors.
 * @param schema Makes the schema that the file is checked by. Its tables refuse unknown keys.
 * @param known The keys that an error names if the file has another one.
 * @returns its content, as the schema has made it.
 * @throws {ConfigError} that names all faults of the file.
 */
export async function readTomlConfig(
  file: string,
  text: string,
  schema: (v: Valibot) => Schema,
  known: KnownKeys,
): Promise<unknown> {
  return (await readPlacedConfig(file, text, schema, known)).output;
}

/** {@linkcode readTomlConfig}, and where all of it stands, in the order of the file. */
export async function readPlacedConfig(
  file: string,
  text: string,
  schema: (v: Valibot) => Schema,
  known: KnownKeys,
): Promise<Toml & { readonly output: unknown }> {
  const v: Valibot = await import(VALIBOT);
  const toml = await readToml(text).catch((error) => {
    if (!(error instanceof TomlError)) throw error;
    const { message, place } = error;
    throw new ConfigError(file, [{ place, message: `is no TOML: ${message}` }]);
  });
  const { issues, output } = v.safeParse(schema(v), toml.value);
  if (!issues) return { ...toml, output };
  const faults = issues.map(({ type, path, message }): Fault => {
    const keys = (path ?? []).map(({ key }) => key as string | number);
    return { place: toml.placeOf(keys), message: describe(type, keys, toml, message, known) };
  });
  throw new ConfigError(file, faults.sort((a, b) => a.place!.line - b.place!.line));
}

/** What is wrong with the value at `path`. */
function describe(
  type: string,
  path: Path,
  { value }: Toml,
  message: string,
  known: KnownKeys,
): string {
  const key = path[path.length - 1];
  const found = path.reduce<unknown>((at, part) => (at as Record<string, unknown>)?.[part], value);
  if (type !== "strict_object") return `${nameOf(path)} = ${textOf(found)}: ${message}`;
  if (found === undefined) return `${nameOf(path)} is missing`;
  const table = path.slice(0, -1).filter((part) => typeof part === "string").join(".");
  const keys = known[table] ?? [];
  const meant = didYouMean(String(key), keys);
  const rest = meant === undefined ? `there are ${keys.join(", ")}` : `did you mean ${meant}?`;
  return `${nameOf(path)}: there is no such key: ${rest}`;
}

/** `region[0].ports[1]`. */
function nameOf(path: Path): string {
  return path.map((key) => typeof key === "number" ? `[${key}]` : `.${key}`).join("").slice(1);
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (_, part) => typeof part === "bigint" ? `${part}` : part);
}
