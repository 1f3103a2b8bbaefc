import type { Machine } from "./qemu.ts";

/** What is done with the command lines. */
export type Output = "shell" | "json" | "libvirt" | "run";

/** What `culvert qemu` was asked for. */
export interface QemuRequest {
  /** The regions, by name or path; each VM gets them all. */
  readonly regions: readonly string[];
  /** The guests' numbers: a VM for each. */
  readonly guests: readonly number[];
  /** What is done with the command lines. */
  readonly output: Output;
  /** The QEMU program. */
  readonly program: string;
  /** Vectors of each device; as many as its region's server has if left out. */
  readonly vectors?: number;
  /** The cores that QEMU is to run on. */
  readonly pin?: string;
  /** The machine of each VM. {@linkcode numbered} adds the guest's number to `guestArgs`. */
  readonly machine: Machine;
  /** Whether the guest command is told the guest's number. */
  readonly numbered: boolean;
}
