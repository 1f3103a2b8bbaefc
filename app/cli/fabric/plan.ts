import { isIPv4 } from "node:net";
import { readTomlConfig } from "../config/toml_config.ts";
import type { Valibot } from "../config/schema.ts";

/** Hosts whose guests are on one Ethernet segment. */
export interface FabricPlan {
  /** The VXLAN network. */
  readonly vni: number;
  /** The autonomous system of all hosts. */
  readonly asn: number;
  /** Of workloads, bridges and ports, in bytes: 50 less than between the hosts. */
  readonly mtu: number;
  /** Two or more. */
  readonly host: readonly FabricHost[];
}

/** A host. */
export interface FabricHost {
  /** Its host name. */
  readonly name: string;
  /** Its IPv4 address, by which the others reach it. */
  readonly address: string;
  /** The TAPs of its culvert host that are in the network. */
  readonly ports: readonly string[];
}

const VNI_MAX = 2 ** 24 - 1, ASN_MAX = 2 ** 32 - 2;

/** Bytes that VXLAN puts around a frame's payload: Ethernet, IPv4, UDP and its own header. */
const VXLAN_BYTES = 50;

/** What links between hosts usually carry. */
const MTU_BETWEEN = 1500;

/** An interface's name, with nothing in it that means something to a shell. */
const LINK = /^[\w.-]{1,15}$/;

/**
 * Read which hosts there are.
 *
 * @param file Its name, for errors.
 * @throws {ConfigError} that names all faults of the file.
 */
export async function readFabric(file: string, text: string): Promise<FabricPlan> {
  return await readTomlConfig(file, text, fabricSchema, {
    "": ["vni", "asn", "mtu", "host"],
    "host": ["name", "address", "ports"],
  }) as FabricPlan;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

function fabricSchema(v: Valibot) {
  const whole = (least: number, most: number) =>
    v.pipe(
      v.number("a whole number is wanted"),
      v.integer("a whole number is wanted"),
      v.minValue(least, `at least ${least}`),
      v.maxValue(most, `at most ${most}`),
    );
  const link = v.pipe(
    v.string("an interface's name is wanted"),
    v.regex(LINK, "an interface's name is wanted, of 1 to 15 letters"),
  );
  const host = v.strictObject({
    name: v.pipe(v.string("text is wanted"), v.regex(/^[\w.-]{1,64}$/, "a host name is wanted")),
    address: v.pipe(
      v.string("text is wanted"),
      v.check(isIPv4, "an IPv4 address is wanted: 192.0.2.1"),
    ),
    ports: v.optional(v.array(link, 'TAPs are wanted: ["tap0"]'), []),
  });
  type Hosts = Mutable<FabricHost>[];
  const unlike = (key: "name" | "address") => (hosts: Hosts) =>
    new Set(hosts.map((one) => one[key])).size === hosts.length;
  return v.strictObject({
    vni: v.optional(whole(1, VNI_MAX), 100),
    asn: v.optional(whole(1, ASN_MAX), 65000),
    mtu: v.optional(whole(68, 9216), MTU_BETWEEN - VXLAN_BYTES),
    host: v.pipe(
      v.array(host, "tables are wanted: [[host]]"),
      v.minLength(2, "two hosts at least are wanted"),
      v.check(unlike("name"), "each host is wanted once: two have one name"),
      v.check(unlike("address"), "each host is wanted once: two have one address"),
    ),
  });
}
