import { MappedMemory, type MappedMemoryHandle } from "../../ffi/mapped_memory.ts";
import { shim } from "../../ffi/shim.ts";

/**
 * How a guest is woken, and how it wakes its host; survives `postMessage`.
 *
 * A process has the eventfds that the region's server handed out. A VM has its device's interrupts
 * as eventfds (vfio), and rings by writing to the device's Doorbell register.
 */
export interface Interrupts {
  /** Eventfds that become readable when the host rings, by vector. */
  readonly vectors: readonly number[];
  /** The host's eventfds by vector, or the register that reaches it. */
  readonly host: { readonly eventfds: readonly number[] } | {
    /** The page with the device's registers (BAR0). */
    readonly registers: MappedMemoryHandle;
    /** Where in it the Doorbell register is, as a word index. */
    readonly doorbell: number;
    /** The host's peer id. */
    readonly peer: number;
  };
}

/** Registers of an ivshmem device, in words from their start (QEMU, ivshmem-spec). */
export const REGISTER = { IV_POSITION: 2, DOORBELL: 3 } as const;

/** Raises an interrupt at the host: given its vector, false if the host has no such vector. */
export function wakerOf({ host }: Interrupts): (vector: number) => boolean {
  if ("eventfds" in host) {
    const fds = Int32Array.from(host.eventfds);
    return (vector) => vector < fds.length && shim.shim_eventfd_signal(fds[vector]) === 0;
  }
  const registers = new MappedMemory(host.registers);
  const { peer, doorbell } = host;
  return (vector) => {
    if (vector > 0xffff) return false;
    registers.store(doorbell, (peer << 16 | vector) >>> 0);
    return true;
  };
}
