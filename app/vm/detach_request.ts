import { check, FILE_ADVICE, UsageError } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { GUEST_STATE, GuestState } from "../channel/guest_state.ts";
import { ZONE_KIND } from "../memory/layout.ts";
import { Region } from "../memory/region.ts";

/** Access of `shim_file_open`: read and write, by a link such as /proc/PID/fd/N too. */
const READ_WRITE_BY_LINK = 5;

const POLL_MS = 50;

/** How long a guest may take from having left the region to having it unmapped. */
const UNMAP_MS = 1000;

/** A host whose heartbeat has stood still for so long is dead: it lets no guest go any more. */
const HOST_SILENCE_MS = 3000;

/**
 * Asks a region's guest to leave it, before its device is unplugged: a mapping of a device that is
 * gone kills the process that touches it (SIGBUS). The guest stays away until this is disposed of.
 */
export class DetachRequest implements Disposable {
  readonly #region: Region;
  readonly #state: GuestState;

  private constructor(region: Region, readonly guest: number) {
    this.#region = region;
    this.#state = GuestState.attach(region, guest);
    this.#state.askToLeave(true);
  }

  /**
   * Ask a guest to leave.
   *
   * @param path The region's file, as QEMU opens it.
   * @param name What people call the region.
   * @param guest The guest's number; may be left out if the region has one guest.
   * @throws {CulvertError} if the region cannot be opened, or no host has it ready.
   * @throws {UsageError} if `guest` is left out and the region has several.
   */
  static ask(path: string, name: string, guest?: number): DetachRequest {
    const fd = check(
      shim.shim_file_open(cString(path), READ_WRITE_BY_LINK),
      `open region ${name} at ${path}`,
      FILE_ADVICE,
    );
    let memory: MappedMemory | undefined;
    try {
      const bytes = Number(shim.shim_file_size(fd));
      memory = MappedMemory.ofFile(fd, bytes, `region ${name}`);
      const region = Region.attach(memory, name);
      return new DetachRequest(region, guest ?? onlyGuest(region));
    } catch (error) {
      memory?.close();
      throw error;
    } finally {
      shim.shim_fd_close(fd);
    }
  }

  /**
   * Wait until the guest has let go of the region.
   *
   * @param patience Milliseconds.
   * @returns false if it takes longer.
   */
  async isGone(patience: number): Promise<boolean> {
    let { heartbeat } = this.#region;
    const start = performance.now();
    for (let beatAt = start; !this.#hasLeft(performance.now() - beatAt > HOST_SILENCE_MS);) {
      if (performance.now() - start > patience) return false;
      await pause(POLL_MS);
      if (this.#region.heartbeat !== heartbeat) beatAt = performance.now();
      heartbeat = this.#region.heartbeat;
    }
    await pause(UNMAP_MS);
    return true;
  }

  /** The name of the guest's state, to tell what it does instead of leaving. */
  get stateName(): string {
    return this.#state.stateName;
  }

  /** Take the request back: guests may come again. */
  [Symbol.dispose](): void {
    this.#state.askToLeave(false);
    this.#region.memory.close();
  }

  /** A host moves the guest from DETACHING on to ABSENT; if it is dead, nobody does. */
  #hasLeft(isHostSilent: boolean): boolean {
    const { state } = this.#state;
    if (state === GUEST_STATE.ABSENT || state === GUEST_STATE.RETIRED) return true;
    return state === GUEST_STATE.DETACHING && isHostSilent;
  }
}

function onlyGuest(region: Region): number {
  const guests = region.zones.filter(({ kind }) => kind === ZONE_KIND.GUEST)
    .map(({ name }) => Number(name.slice(1)));
  if (guests.length === 1) return guests[0];
  throw new UsageError(
    `Cannot ask the guest of region ${region.name} to leave as it has ${guests.length} places: say ` +
      `which by --guest (${guests.join(", ")})`,
  );
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
