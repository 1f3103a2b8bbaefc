import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { Channel, type ChannelPlace, findChannel } from "../../app/channel/channel.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { stateOf, withState } from "../../app/channel/state_word.ts";
import * as layout from "../../app/memory/layout.ts";
import type { Region } from "../../app/memory/region.ts";
import { dataWord, type MbufGeometry, mbufsIn } from "../../app/mempool/mbuf.ts";
import { Burst } from "../../app/ring/burst.ts";
import type { Random } from "../kit/random.ts";
import { CANARY } from "../kit/canary.ts";
import { Held } from "./held.ts";
import { Lies } from "./lies.ts";
import { MbufHeads } from "./mbuf_heads.ts";
import { Spoiler } from "./spoiler.ts";

const BURST = 32;
const { CHANNEL, DIRECTORY_BYTES, GUEST, guestBytes, HEADER, PUSH, RING } = layout;
const { STATE_WORD, ZONE_KIND, ZONES_BYTES } = layout;
const { SUPER } = layout.DESCRIPTOR_FLAG;

/** A guest's memzones, as a region's directory named them before anybody spoiled it. */
interface Place {
  /** Its control memzone: a word index. */
  readonly control: number;
  readonly channel: ChannelPlace;
}

/** Steps between two changes of strategy, unless the constructor is given another number. */
const STRATEGY_STEPS = 10_000;

/** Something that a hostile guest can do. */
type Action = (this: HostileGuest) => void;

/**
 * A guest that does to its region whatever a guest can do. Which actions it takes, and with which
 * numbers, follows from its source of random numbers alone; what they meet depends on the host.
 */
export class HostileGuest {
  readonly #places: Place[];
  readonly #mbufs: MbufGeometry;
  readonly #lies: Lies;
  readonly #heads: MbufHeads;
  readonly #push: number;
  readonly #burst = Burst.of(BURST);
  readonly #held = new Held();
  #channel: Channel;
  #strategy: readonly Action[] = [];
  #steps = 0;
  #mayChange = true;
  #wasRunning = false;

  /**
   * @param guests How many guests the region has: it attacks them all.
   * @param own Its own number.
   * @param bells Each notifies a peer, mostly the host.
   * @param strategySteps Steps between two changes of strategy; `Infinity` if the caller does it.
   */
  constructor(
    readonly memory: MappedMemory,
    region: Region,
    guests: number,
    private readonly own: number,
    readonly random: Random,
    private readonly bells: readonly (() => unknown)[],
    private readonly strategySteps = STRATEGY_STEPS,
  ) {
    this.#places = Array.from({ length: guests }, (_, guest) => ({
      control: region.zone(`g${guest}`, ZONE_KIND.GUEST).offset >>> 2,
      channel: findChannel(region, guest, 0).place,
    }));
    this.#push = region.zone("push", ZONE_KIND.PUSH).offset >>> 2;
    const mbufs = this.#mbufs = mbufsIn(region);
    this.#lies = new Lies(random, this.#mbufs);
    this.#channel = new Channel(memory, this.#places[own].channel);
    this.#heads = new MbufHeads(memory, mbufs, random);
    this.#heads.fill();
  }

  /** Take one action. */
  step(): void {
    if (this.#steps++ % this.strategySteps === 0) this.changeStrategy();
    this.#strategy[this.random.below(this.#strategy.length)].call(this);
  }

  /** Take another strategy, and attach again. */
  changeStrategy(): void {
    if (!this.#mayChange) return;
    this.#strategy = STRATEGIES[this.random.below(STRATEGIES.length)];
    this.leave();
  }

  /** From now on only lie, and write nowhere but to its own rings. */
  onlyLies(): void {
    this.#strategy = LIES;
    this.#mayChange = false;
  }

  /** Detach as a guest should. */
  leave(): void {
    const word = this.memory.load(this.#places[this.own].control + GUEST.STATE);
    this.#setState(withState(word, GUEST_STATE.DETACHING));
  }

  /** Beat its heart, and ask to attach unless it is attached. To be called now and then. */
  stay(): void {
    this.#beat();
    const { isRunning } = this;
    if (!isRunning) this.#attach();
    else if (!this.#wasRunning) this.#openRings();
    this.#wasRunning = isRunning;
  }

  #beat(): void {
    const word = this.#places[this.own].control + GUEST.HEARTBEAT;
    this.memory.store(word, (this.memory.load(word) + 1) >>> 0);
  }

  /** Whether the host has attached it. */
  get isRunning(): boolean {
    const { control } = this.#places[this.own];
    return stateOf(this.memory.load(control + GUEST.STATE)) === GUEST_STATE.RUNNING;
  }

  /** Ask to attach, as a guest should, but in anybody's place, and out of quarantine too. */
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

  /** Open the rings, which the host has reset; say that it takes super-frames, or not. */
  #openRings(): void {
    this.#channel = new Channel(this.memory, this.#places[this.own].channel);
    this.#held.clear();
    this.memory.store(this.#places[this.own].control + GUEST.OFFLOADS, this.random.below(2));
  }

  /** Receive, and send some of the mbufs that it holds, as it should. */
  behave(): void {
    const { rx, tx } = this.#channel;
    const n = rx.dequeueBurst(this.#burst, BURST);
    this.#held.add(this.#burst.words, n);
    const out = Math.min(this.#held.count, 1 + this.random.below(BURST));
    for (let i = 0; i < out; i++) {
      const [word0, data] = this.#held.take();
      this.#put(i, word0, (word0 & SUPER) !== 0 ? data : dataWord(128, 60 + i));
    }
    tx.enqueueBurst(this.#burst, out);
  }

  /** Send or give back descriptors, most of them wrong in one of several ways. */
  lie(): void {
    const { tx, giveback } = this.#channel;
    const out = 1 + this.random.below(BURST);
    for (let i = 0; i < out; i++) {
      this.#put(i, this.#lies.index(this.#held.words), this.#lies.place());
    }
    (this.random.below(4) === 0 ? giveback : tx).enqueueBurst(this.#burst, out);
  }

  /**
   * Send what it holds as super-frames, of which the offload header, the packet's headers or the
   * descriptor are spoiled in some places; and go on doing so while the host looks.
   */
  spoil(): void {
    const { random, memory } = this;
    const spoiler = new Spoiler(memory, this.#mbufs, random);
    const out = Math.min(this.#held.count, 1 + random.below(8));
    for (let i = 0; i < out; i++) {
      const [word0, data] = this.#held.take();
      this.#put(i, (word0 | SUPER) >>> 0, random.below(4) === 0 ? this.#lies.place() : data);
      spoiler.add(word0);
    }
    spoiler.spoil();
    this.#channel.tx.enqueueBurst(this.#burst, out);
    for (let round = random.below(100); round > 0; round--) spoiler.spoil();
  }

  /** Send descriptors, and change them while the host reads them. */
  change(): void {
    const { tx } = this.#channel;
    const at = tx.reserved;
    const n = tx.reserveBurst(8);
    for (let round = this.random.below(200); round >= 0; round--) {
      for (let i = 0; i < n; i++) {
        const word = ((at + i) & tx.mask) * 2;
        tx.words[word] = this.#lies.index(this.#held.words);
        tx.words[word + 1] = this.#lies.place();
      }
      if (round === 100) tx.commit(n);
    }
  }

  /** Write positions of rings, its own or another guest's. */
  jump(): void {
    const { channel } = this.#aGuest();
    const ring = this.random.pick([channel.rx, channel.tx, channel.lend, channel.giveback]);
    const word = (ring >>> 2) + (this.random.below(2) === 0 ? RING.PRODUCER : RING.CONSUMER);
    const { memory, random } = this;
    const step = random.pick([1, -1, 32, -32, 1024, 1025, 0x80000000, 0x7fffffff]);
    const from = random.below(3) === 0 ? this.#lies.number() : memory.load(word);
    memory.store(word, (from + step) >>> 0);
  }

  /** Write words of a guest's control memzone: state, heartbeat, peer, incarnation. */
  writeControl(): void {
    const { control } = this.#aGuest();
    this.memory.u32[control + this.random.below(guestBytes(1) / 4)] = this.#lies.number();
    const words = [
      GUEST.STATE,
      GUEST.HEARTBEAT,
      GUEST.NOTIFIED,
      GUEST.LEAVE,
      GUEST.INCARNATION,
      GUEST.OFFLOADS,
    ];
    this.memory.u32[control + this.random.pick(words)] = this.#lies.number();
  }

  /** Write words of a channel: sleeping flags, vectors, counters, names. */
  writeChannel(): void {
    const { channel } = this.#aGuest().channel;
    const word = (channel >>> 2) + this.random.below(CHANNEL.BYTES / 4);
    this.memory.u32[word] = this.#lies.number();
    const flag = (channel >>> 2) + CHANNEL.GUEST_SLEEP;
    for (let i = this.random.below(100); i >= 0; i--) this.memory.u32[flag] += 1;
  }

  /** Write words of the header and the directory, and of what is pushed to guests. */
  writeHeader(): void {
    const { memory: { u32 }, random } = this;
    const word = random.below(random.below(4) === 0 ? HEADER.MBUFS_FREE + 1 : ZONES_BYTES / 4);
    u32[word] = this.#lies.number();
    u32[this.#push + random.below(PUSH.TEXT + 64)] = this.#lies.number();
    u32[DIRECTORY_BYTES / 4 + random.below(1000)] = CANARY;
  }

  /** Write all over the region: single words, then a stretch of it. */
  scribble(): void {
    const { memory: { u32 }, random } = this;
    for (let i = 0; i < 64; i++) this.#heads.write(random.below(u32.length), this.#lies.number());
    const at = random.below(u32.length);
    for (let i = random.below(2048); i >= 0; i--) this.#heads.write((at + i) % u32.length, at ^ i);
  }

  /** Notify peers for which there is no work. */
  notify(): void {
    for (let i = this.random.below(300); i >= 0; i--) {
      this.bells.at(this.random.below(this.bells.length))?.();
    }
  }

  #put(i: number, index: number, place: number): void {
    this.#burst.words[2 * i] = index;
    this.#burst.words[2 * i + 1] = place;
  }

  #setState(word: number): void {
    this.memory.store(this.#places[this.own].control + GUEST.STATE, word);
  }

  #aGuest(): Place {
    return this.random.pick(this.#places);
  }
}

const does = HostileGuest.prototype;

/** The strategy of a guest that only lies. */
const LIES = [does.behave, does.lie, does.lie, does.change];

/** What a hostile guest does for a while: each action of a strategy is as likely as the others. */
const STRATEGIES: readonly (readonly Action[])[] = [
  [does.behave, does.lie],
  [does.behave, does.spoil],
  [does.behave, does.behave, does.lie, does.spoil],
  [does.behave, does.behave, does.lie, does.change],
  [does.behave, does.lie, does.jump],
  [does.behave, does.lie, does.writeChannel, does.notify],
  [does.behave, does.lie, does.writeControl],
  [does.behave, does.lie, does.writeHeader],
  [
    does.behave,
    does.lie,
    does.spoil,
    does.change,
    does.jump,
    does.notify,
    does.writeControl,
    does.writeChannel,
    does.writeHeader,
    does.scribble,
  ],
  [does.scribble],
];
