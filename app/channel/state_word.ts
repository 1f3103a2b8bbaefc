import { STATE_WORD } from "../memory/layout.ts";

/** What a guest says of itself when it claims a place. */
export interface Claimant {
  /** Its process id, as it sees it itself: in a VM it is not one of the host's. */
  readonly pid: number;
  /** Whether it wants to be lent empty mbufs. */
  readonly wantsMbufs: boolean;
  /** Its peer id, if it has one. */
  readonly peer?: number;
  /** Whether it wakes the host. */
  readonly notifies?: boolean;
}

const { STATE, WANTS_MBUFS, NOTIFIES, AGAIN, PEER, PEER_SHIFT, INCARNATION, INCARNATION_SHIFT } =
  STATE_WORD;

/**
 * How far apart the incarnations of two hosts that follow each other begin: an odd number, near 512
 * divided by the golden ratio, so that it takes many restarts until two hosts are close.
 */
const EPOCH_STEP = 317;

/** The bits that tell incarnation `incarnation` under the host of `epoch` from others. */
export function incarnationBits(epoch: number, incarnation: number): number {
  return ((incarnation + Math.imul(epoch, EPOCH_STEP)) << INCARNATION_SHIFT) >>> 0;
}

/** The word of a guest that claims a place as the incarnation of these `bits`, without state. */
export function claimWord(bits: number, { wantsMbufs, notifies, peer }: Claimant): number {
  const flags = (wantsMbufs ? WANTS_MBUFS : 0) | (notifies ? NOTIFIES : 0);
  return (bits | flags | (peer === undefined ? 0 : peer + 1) << PEER_SHIFT) >>> 0;
}

/** `word` in another state. */
export function withState(word: number, state: number): number {
  return ((word & ~STATE) | state) >>> 0;
}

/** `word` of a guest that has another peer id, as its server was replaced `times` times. */
export function withPeer(word: number, peer: number, times: number): number {
  const rest = word & ~(PEER | AGAIN);
  return (rest | (peer + 1) << PEER_SHIFT | (times % 2 === 1 ? AGAIN : 0)) >>> 0;
}

/** One of `GUEST_STATE`, or another number, which only a hostile guest writes. */
export function stateOf(word: number): number {
  return word & STATE;
}

/**
 * The peer id that a guest gave; undefined if none. The caller checks it: it may be another peer's.
 */
export function peerOf(word: number): number | undefined {
  const peer = (word & PEER) >>> PEER_SHIFT;
  return peer === 0 ? undefined : peer - 1;
}

/**
 * The bits that change with each server that a guest joins, even if its peer id there is the same.
 */
export function presenceOf(word: number): number {
  return word & (PEER | AGAIN);
}

/** Whether a guest asked for empty mbufs. */
export function wantsMbufs(word: number): boolean {
  return (word & WANTS_MBUFS) !== 0;
}

/** Whether a guest wakes the host, as it says. */
export function notifies(word: number): boolean {
  return (word & NOTIFIES) !== 0;
}

/** Whether both words are of one guest, in whatever state, and whatever peer it is. */
export function isSameGuest(word: number, other: number): boolean {
  return ((word ^ other) & (INCARNATION | WANTS_MBUFS | NOTIFIES)) === 0;
}

/** Whether both words are of the same incarnation. */
export function isSameIncarnation(word: number, other: number): boolean {
  return ((word ^ other) & INCARNATION) === 0;
}
