/**
 * A region with a live host and places for guests, which a test plays.
 *
 * @module
 */
import { GUEST_STATE, GuestState } from "../../app/channel/guest_state.ts";
import { Region } from "../../app/memory/region.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";

const BYTES = 1 << 20;
const CREATE = 2;

/** A region in a file, to be disposed of. */
export class HostedRegion implements Disposable {
  /** The file, for QEMU too. */
  readonly path = `/dev/shm/culvert-test-${crypto.randomUUID()}`;
  readonly region: Region;
  readonly guests: GuestState[];
  readonly #memory: MappedMemory;
  readonly #beat: ReturnType<typeof setInterval>;

  constructor(guests: number) {
    const fd = shim.shim_file_open(cString(this.path), CREATE);
    shim.shim_file_resize(fd, BigInt(BYTES));
    this.#memory = MappedMemory.ofFile(fd, BYTES, this.path);
    shim.shim_fd_close(fd);
    this.region = Region.build(this.#memory, this.path);
    this.guests = Array.from({ length: guests }, (_, i) => GuestState.add(this.region, i, 1));
    this.region.publish();
    this.#beat = setInterval(() => this.region.beat(), 50);
  }

  /** The host dies. */
  die(): void {
    clearInterval(this.#beat);
  }

  [Symbol.dispose](): void {
    this.die();
    this.#memory.close();
    Deno.removeSync(this.path);
  }
}

/** Let a guest come in. */
export function attach(guest: GuestState): void {
  guest.claim({ pid: 4711, wantsMbufs: false });
  guest.move("host", GUEST_STATE.ATTACHING, GUEST_STATE.RUNNING);
}
