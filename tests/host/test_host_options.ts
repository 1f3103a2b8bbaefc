import type { MakePort } from "../../app/host/host_lcore.ts";
import type { HostOptions } from "../../app/host/host_options.ts";
import type { Peer } from "../../app/ivshmem/peer.ts";
import type { Reconnector } from "../../app/region/reconnector.ts";
import type { TestHost } from "./test_host.ts";

/**
 * For each region and guest its ports: links by their names, names that begin with `null` make
 * frames of 64 bytes, others are a `FakePort` each.
 */
export type Places = Record<string, Record<number, string>>;

/** What a `TestHost` is like: one guest with port `p0` in region `r0` unless told. */
export interface TestHostOptions extends Partial<Omit<HostOptions, "regions">> {
  readonly places?: Places;
  /** Ports `p0`, `p1` and so on of that guest. */
  readonly ports?: number;
  readonly mbufs?: number;
  /** Bytes of each region: a MiB, which leaves no room for long mbufs. */
  readonly bytes?: number;
  readonly ringSize?: number;
  readonly lcores?: number;
  /** Makes the ports that are no links. */
  readonly makePort?: MakePort;
  /** The host's connection to a server, and what finds that again. */
  readonly peer?: Peer;
  readonly reconnector?: Reconnector;
  /** The host before it, whose capture area it uses. */
  readonly before?: TestHost;
  /** Whether others can capture: see `TestHost.area`. */
  readonly captured?: boolean;
}
