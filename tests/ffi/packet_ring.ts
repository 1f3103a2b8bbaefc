import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { freshMemory } from "./fresh_memory.ts";

/** `RING_BLOCK`, `RING_SLOT` and `RING_SLOTS` in shim/burst.c; and the word of the next slot. */
const BLOCK = 65536, SLOT = 1984, SLOTS = 33, NEXT = SLOT * SLOTS / 4;

/** Where frames begin in a slot, as in Linux's: behind 32 + 20 bytes, and a header of 10. */
const DATA = 76;

/** TP_STATUS_USER, _COPY, and _VLAN_VALID with _VLAN_TPID_VALID. */
const USER = 1, COPY = 2, VLAN = 0x50;

/** The ring of an AF_PACKET socket, with a test in the kernel's place. */
interface TestRing extends MappedMemory, Disposable {
  /** Put a frame into a slot; if it is longer than `length` says, what does not fit is told. */
  put(slot: number, frame: Uint8Array, more?: PutOptions): void;
  /** Whether the kernel has a slot. */
  isFree(slot: number): boolean;
  /** The slot that comes next. */
  next: number;
}

interface PutOptions {
  /** The virtio_net_hdr, 10 bytes; zeros unless told. */
  readonly header?: readonly number[];
  /** TPID and TCI of a tag. */
  readonly vlan?: readonly [tpid: number, tci: number];
  /** The frame's length, if the slot has only its beginning. */
  readonly length?: number;
  /** Whether the whole frame waits in the socket. */
  readonly waits?: boolean;
}

/** A ring of one block, with 33 slots. */
export function freshRing(): TestRing {
  const memory = freshMemory(BLOCK);
  const view = new DataView(memory.u8.buffer, memory.u8.byteOffset, BLOCK);
  const put = (slot: number, frame: Uint8Array, more: PutOptions = {}) => {
    const { header = [], vlan, length = frame.length, waits = false } = more;
    const at = slot * SLOT;
    memory.u8.fill(0, at + DATA - 10, at + DATA);
    memory.u8.set(header, at + DATA - 10);
    memory.u8.set(frame, at + DATA);
    view.setUint32(at + 4, length, true);
    view.setUint32(at + 8, frame.length, true);
    view.setUint16(at + 12, DATA, true);
    view.setUint16(at + 24, vlan?.[1] ?? 0, true);
    view.setUint16(at + 26, vlan?.[0] ?? 0, true);
    memory.store(at / 4, USER | (waits ? COPY : 0) | (vlan ? VLAN : 0));
  };
  const isFree = (slot: number) => memory.load(slot * SLOT / 4) === 0;
  return Object.defineProperty(Object.assign(memory, { put, isFree, next: 0 }), "next", {
    get: () => memory.u32[NEXT],
    set: (slot: number) => memory.u32[NEXT] = slot,
  });
}
