import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Channel, type ChannelPlace, findChannel } from "../../app/channel/channel.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { stateOf, withState } from "../../app/channel/state_word.ts";
import {
  CHANNEL,
  DIRECTORY_BYTES,
  GUEST,
  HEADER,
  RING,
  STATE_WORD,
  ZONE_KIND,
  ZONES_BYTES,
} from "../../app/memory/layout.ts";
import type { Region } from "../../app/memory/region.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import type { Random } from "../kit/random.ts";
import { CANARY, MBUF_HEAD, plain } from "./canary.ts";
import { Burst } from "../../app/ring/burst.ts";

const BURST = 32;
/** Numbers at the edges of what positions and states may be. */
const ODD = [0, 1, 2, 3, 4, 5, 6, 7, 63, 64, 1023, 1024, 1025, 0x7fffffff, 0x80000000, 0xffffffff];

/** A guest's memzones, as a region's directory named them before anybody spoiled it. */
interface Place {
  /** Its control memzone: a word index. */
  readonly control: number;
  readonly channel: ChannelPlace;
}

/** Steps between two changes of temper, unless told. */
const TEMPER_STEPS = 10_000;

/** What a besieger can do. */
type Deed = (this: Besieger) => void;

/**
 * A guest that does to its region whatever a guest can do. What it does next, and with which numbers,
 * follows from its source of randomness alone; what it meets is up to the host.
 */
export class Besieger {
  readonly #places: Place[];
  readonly #mbufs: { offset: number; stride: number; count: number };
  readonly #burst = Burst.of(BURST);
  readonly #held: number[] = [];
  #channel: Channel;
  #temper: readonly Deed[] = [];
  #steps = 0;
  #mayChange = true;
  #wasRunning = false;

  /**
   * @param own Its number among the region's guests; it knows where the others are, too.
   * @param bells Each rings somebody: the host, mostly.
   * @param temperSteps Steps between two changes of temper; infinitely many if others say when.
   */
  constructor(
    readonly memory: MappedMemory,
    region: Region,
    guests: number,
    private readonly own: number,
    readonly random: Random,
    private readonly bells: readonly (() => unknown)[],
    private readonly temperSteps = TEMPER_STEPS,
  ) {
    this.#places = Array.from({ length: guests }, (_, guest) => ({
      control: region.zone(`g${guest}`, ZONE_KIND.GUEST).offset >>> 2,
      channel: findChannel(region, guest, 0).place,
    }));
    const { offset, size, parameter } = region.zone("mbufs", ZONE_KIND.MBUFS);
    this.#mbufs = { offset, stride: parameter, count: Math.floor(size / parameter) };
    this.#channel = new Channel(memory, this.#places[own].channel);
    for (let mbuf = 0; mbuf < this.#mbufs.count; mbuf++) {
      memory.u32[(offset + mbuf * parameter) >>> 2] = MBUF_HEAD;
    }
    for (let word = (offset + size) >>> 2; word < memory.u32.length; word++) {
      memory.u32[word] = CANARY;
    }
  }

  /** Do one thing. */
  step(): void {
    if (this.#steps++ % this.temperSteps === 0) this.turn();
    this.#temper[this.random.below(this.#temper.length)].call(this);
  }

  /** Change its temper, and be let in anew. */
  turn(): void {
    if (!this.#mayChange) return;
    this.#temper = TEMPERS[this.random.below(TEMPERS.length)];
    this.leave();
  }

  /** From now on, send nothing but lies, and spoil nothing beside its own rings. */
  onlyLies(): void {
    this.#temper = [behave, lie, lie, change];
    this.#mayChange = false;
  }

  /** Give up its place as it should, to be let in anew. */
  leave(): void {
    const word = this.memory.load(this.#places[this.own].control + GUEST.STATE);
    this.#setState(withState(word, GUEST_STATE.DETACHING));
  }

  /** Now and then: say that it is alive, and ask to be let in if it is not. */
  stay(): void {
    this.#beat();
    const { isRunning } = this;
    if (!isRunning) this.#attach();
    else if (!this.#wasRunning) this.#reconnector();
    this.#wasRunning = isRunning;
  }

  #beat(): void {
    const word = this.#places[this.own].control + GUEST.HEARTBEAT;
    this.memory.store(word, (this.memory.load(word) + 1) >>> 0);
  }

  /** Whether the host has let it in. */
  get isRunning(): boolean {
    const { control } = this.#places[this.own];
    return stateOf(this.memory.load(control + GUEST.STATE)) === GUEST_STATE.RUNNING;
  }

  /** Ask to be let in as a guest should, but for whose place it is, and also out of quarantine. */
  #attach(): void {
    const { control } = this.#places[this.own];
    const { memory } = this;
    const word = memory.load(control + GUEST.STATE);
    const { ABSENT, RETIRED, QUARANTINED, ATTACHING, DETACHING } = GUEST_STATE;
    if (stateOf(word) === RETIRED) this.#setState(withState(word, DETACHING));
    if (stateOf(word) !== ABSENT && stateOf(word) !== QUARANTINED) return;
    const next = (word >>> STATE_WORD.INCARNATION_SHIFT) + 1;
    this.#setState(withState(next << STATE_WORD.INCARNATION_SHIFT, ATTACHING));
  }

  /** Begin again at the rings: the host has reset them. */
  #reconnector(): void {
    this.#channel = new Channel(this.memory, this.#places[this.own].channel);
    this.#held.length = 0;
  }

  /** Receive, and send some of what it holds, as it should. */
  behave(): void {
    const { rx, tx } = this.#channel;
    const n = rx.dequeueBurst(this.#burst, BURST);
    for (let i = 0; i < n; i++) this.#held.push(this.#burst.words[2 * i]);
    const out = Math.min(this.#held.length, 1 + this.random.below(BURST));
    for (let i = 0; i < out; i++) this.#put(i, this.#held.shift()!, dataWord(128, 60 + i));
    tx.enqueueBurst(this.#burst, out);
  }

  /** Send or give back descriptors, each wrong in its way, or right. */
  lie(): void {
    const { tx, giveback } = this.#channel;
    const out = 1 + this.random.below(BURST);
    for (let i = 0; i < out; i++) this.#put(i, this.#anIndex(), this.#aPlace());
    (this.random.below(4) === 0 ? giveback : tx).enqueueBurst(this.#burst, out);
  }

  /** Send descriptors, and go on changing them while the host reads them. */
  change(): void {
    const { tx } = this.#channel;
    const at = tx.reserved;
    const n = tx.reserveBurst(8);
    for (let round = this.random.below(200); round >= 0; round--) {
      for (let i = 0; i < n; i++) {
        const word = ((at + i) & tx.mask) * 2;
        tx.words[word] = this.#anIndex();
        tx.words[word + 1] = this.#aPlace();
      }
      if (round === 100) tx.commit(n);
    }
  }

  /** Write positions: those of its own rings, or of a neighbour's. */
  jump(): void {
    const { channel } = this.#aGuest();
    const ring = [channel.rx, channel.tx, channel.lend, channel.giveback][this.random.below(4)];
    const word = (ring >>> 2) + (this.random.below(2) === 0 ? RING.PRODUCER : RING.CONSUMER);
    const { memory, random } = this;
    const step = [1, -1, 32, -32, 1024, 1025, 0x80000000, 0x7fffffff][random.below(8)];
    const from = random.below(3) === 0 ? this.#aNumber() : memory.load(word);
    memory.store(word, (from + step) >>> 0);
  }

  /** Write any word of a guest's control memzone: state, heartbeat, peer, incarnation. */
  pose(): void {
    const { control } = this.#aGuest();
    this.memory.u32[control + this.random.below(GUEST.BYTES / 4)] = this.#aNumber();
    const words = [GUEST.STATE, GUEST.HEARTBEAT, GUEST.NOTIFIED, GUEST.LEAVE, GUEST.INCARNATION];
    this.memory.u32[control + words[this.random.below(words.length)]] = this.#aNumber();
  }

  /** Write any word of a channel: sleeping flags, vectors, counters, names. */
  feign(): void {
    const { channel } = this.#aGuest().channel;
    const word = (channel >>> 2) + this.random.below(CHANNEL.BYTES / 4);
    this.memory.u32[word] = this.#aNumber();
    const flag = (channel >>> 2) + CHANNEL.GUEST_SLEEP;
    for (let i = this.random.below(100); i >= 0; i--) this.memory.u32[flag] += 1;
  }

  /** Spoil header and directory. */
  deface(): void {
    const word = this.random.below(4) === 0
      ? this.random.below(HEADER.MBUFS_FREE + 1)
      : this.random.below(ZONES_BYTES / 4);
    this.memory.u32[word] = this.#aNumber();
    this.memory.u32[DIRECTORY_BYTES / 4 + this.random.below(1000)] = CANARY;
  }

  /** Scribble over the whole region: single words, then a stretch of it. */
  scribble(): void {
    const { memory: { u32 }, random } = this;
    for (let i = 0; i < 64; i++) this.#write(random.below(u32.length), this.#aNumber());
    const at = random.below(u32.length);
    for (let i = random.below(2048); i >= 0; i--) this.#write((at + i) % u32.length, at ^ i);
  }

  /** Ring those who have nothing to hear. */
  ring(): void {
    for (let i = this.random.below(300); i >= 0; i--) {
      this.bells.at(this.random.below(this.bells.length))?.();
    }
  }

  /** Outside the mbufs a canary is as good as any number; inside it would be allowed to leave, in parts too. */
  #write(word: number, value: number): void {
    const { offset, stride, count } = this.#mbufs;
    const { u32 } = this.memory;
    const inside = word * 4 - offset;
    if (inside < 0 || inside >= count * stride) {
      u32[word] = this.random.below(4) === 0 ? value : CANARY;
    } else u32[word] = inside % stride === 0 ? MBUF_HEAD : plain(value);
  }

  #put(i: number, index: number, place: number): void {
    this.#burst.words[2 * i] = index;
    this.#burst.words[2 * i + 1] = place;
  }

  #setState(word: number): void {
    this.memory.store(this.#places[this.own].control + GUEST.STATE, word);
  }

  #aGuest(): Place {
    return this.#places[this.random.below(this.#places.length)];
  }

  #aNumber(): number {
    const { random } = this;
    if (random.below(2) === 0) return ODD[random.below(ODD.length)];
    return random.below(0xffffffff);
  }

  /** An mbuf index: held, any, just beyond the last one, or none at all. */
  #anIndex(): number {
    const { random } = this;
    const { count } = this.#mbufs;
    switch (random.below(5)) {
      case 0:
        return random.below(count); // a neighbour's, maybe
      case 1:
        return count + random.below(40);
      case 2:
        return random.below(0xffffffff);
      default:
        return this.#held.length > 0 ? this.#held[random.below(this.#held.length)] : 0;
    }
  }

  /** Offset and length: of a good frame, at the edges, or any. */
  #aPlace(): number {
    const { random } = this;
    const { stride } = this.#mbufs;
    switch (random.below(6)) {
      case 0:
        return random.below(0xffffffff);
      case 1:
        return dataWord(random.below(65536), random.below(65536));
      case 2:
        return dataWord(stride - random.below(64), random.below(1600));
      case 3:
        return dataWord(128, [0, 1, 13, 1523, 65535][random.below(5)]);
      default:
        return dataWord(random.below(800), 14 + random.below(1500));
    }
  }
}

const { behave, lie, change, jump, pose, feign, deface, scribble, ring } = Besieger.prototype;

/** What a besieger does for a while, each deed as likely as the others. */
const TEMPERS: readonly (readonly Deed[])[] = [
  [behave, lie],
  [behave, behave, lie, change],
  [behave, lie, jump],
  [behave, lie, feign, ring],
  [behave, lie, pose],
  [behave, lie, deface],
  [behave, lie, change, jump, feign, ring, pose, deface, scribble],
  [scribble],
];
