import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import type { Attachment } from "../../app/guest/attachment.ts";
import { Claim } from "../../app/guest/claim.ts";

/**
 * Claim place `guest` of region `r0`, as a guest does: in steps of 5 ms until it is let in or
 * refused.
 */
export async function attach(
  memory: MappedMemory,
  guest = 0,
  { wantsMbufs = false, peer, name = "r0" }: {
    readonly wantsMbufs?: boolean;
    readonly peer?: number;
    readonly name?: string;
  } = {},
): Promise<Attachment> {
  const claimant = { pid: Deno.pid, wantsMbufs, peer };
  const claim = new Claim(memory, name, guest, claimant, performance.now());
  for (;;) {
    const attachment = claim.step(performance.now());
    if (attachment) return attachment;
    await soon();
  }
}

/** Leave, and wait for the host. */
export async function leave(attachment: Attachment): Promise<void> {
  const hasLeft = attachment.leave(performance.now());
  while (!hasLeft(performance.now())) await soon();
}

function soon(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}
