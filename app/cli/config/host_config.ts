import { type Given, readSize } from "../options.ts";
import { HOST } from "../tables/host.ts";
import { optionSchema, optionsSchema, type Schema, type Valibot } from "./schema.ts";
import { readPlacedConfig } from "./toml_config.ts";
import type { Path, Toml } from "./toml.ts";

const { config: _config, region: _region, guest: _guest, port: _port, ...GENERAL } = HOST.options;
const { size, mbufs, "ring-size": ringSize, "numa-node": numaNode } = GENERAL;

/** What a `[[region]]` may say, beside its name, ports and guests. */
const OF_A_REGION = { size, mbufs, "ring-size": ringSize, "numa-node": numaNode };

const KNOWN = {
  "": [...Object.keys(GENERAL), "region"],
  "region": ["name", ...Object.keys(OF_A_REGION), "ports", "guest"],
  "region.guest": ["number", "ports"],
};

type Scalar = boolean | number | string;
type Options = Readonly<Record<string, Scalar | readonly string[]>>;

/** A `[[region.guest]]`. */
interface GuestTable {
  readonly number: number;
  readonly ports: readonly string[];
}

/** A `[[region]]`, with options of its own. */
interface RegionTable {
  readonly name: string;
  readonly ports?: readonly string[];
  readonly guest?: readonly GuestTable[];
}

/**
 * Read what a host is to do from a TOML file: the names of its options as keys, and `[[region]]`
 * with `name`, options of a region, and `ports` (of guest 0), or `[[region.guest]]` with `number`
 * and `ports`.
 *
 * @param file Its name, for errors.
 * @returns As if it stood on the command line, in the file's order of regions, guests and ports.
 * @throws {ConfigError} that names all faults of the file.
 */
export async function readHostConfig(file: string, text: string): Promise<Given[]> {
  return givenBy(await readPlacedConfig(file, text, hostSchema, KNOWN), file);
}

function hostSchema(v: Valibot): Schema {
  const ports = v.pipe(
    v.array(v.string('text is wanted, such as "tap:tap0"'), 'ports are wanted: ["tap:tap0"]'),
    v.minLength(1, "one port at least is wanted"),
  );
  const guest = v.strictObject({ number: optionSchema(v, HOST.options.guest), ports });
  const region = v.strictObject({
    name: v.string("text is wanted"),
    ...optionsSchema(v, OF_A_REGION),
    ports: v.optional(ports),
    guest: v.optional(v.array(guest, "tables are wanted: [[region.guest]]")),
  });
  return v.strictObject({
    ...optionsSchema(v, GENERAL),
    region: v.pipe(
      v.array(region, "tables are wanted: [[region]]"),
      v.minLength(1, "one region at least is wanted"),
    ),
  });
}

/** The content of a file that the schema takes, as options of a command line. */
function givenBy(toml: Toml, file: string): Given[] {
  const { region: regions, ...general } = toml.value as Options & { region: RegionTable[] };
  const one = (path: Path, name: string, value: Given["value"]): Given => {
    return { name, value, origin: { file, place: toml.placeOf(path) } };
  };
  const options = (path: Path, table: Options) =>
    Object.entries(table).flatMap(([name, value]) =>
      valuesIn(name, value).map((value) => one([...path, name], name, value))
    );
  const portsOf = (path: Path, ports: readonly string[] = []) =>
    ports.map((port, i) => one([...path, "ports", i], "port", port));
  return [
    ...options([], general),
    ...regions.flatMap((region, i) => {
      const { name, ports, guest = [], ...own } = region;
      const path = ["region", i];
      return [
        one([...path, "name"], "region", name),
        ...options(path, own as Options),
        ...portsOf(path, ports),
        ...guest.flatMap(({ number, ports }, j) => {
          const at = [...path, "guest", j];
          return [one([...at, "number"], "guest", number), ...portsOf(at, ports)];
        }),
      ];
    }),
  ];
}

/** The values of an option: one, or several of an option that may be repeated. */
function valuesIn(name: string, value: Scalar | readonly string[]): Given["value"][] {
  const { kind } = (GENERAL as Readonly<Record<string, { kind: string }>>)[name];
  const all = kind === "text" && Array.isArray(value) ? value : [value];
  return all.map((one) => valueOf(name, one));
}

/** A value as the command line would have given it. */
function valueOf(name: string, value: Scalar | readonly string[]): Given["value"] {
  const { kind } = (GENERAL as Readonly<Record<string, { kind: string }>>)[name];
  if (kind === "size") return readSize(name, String(value));
  return kind === "text" ? String(value) : value;
}
