import type { Channel } from "../channel/channel.ts";
import type { Doorbell } from "../channel/sleep_flag.ts";
import type { LongShare } from "../channel/long_share.ts";
import type { OutstandingCount } from "../channel/outstanding.ts";
import type { Ledger } from "../channel/ledger.ts";
import { nothingTaken, type TakenBack } from "../channel/taken_back.ts";
import type { Mempool } from "../mempool/mempool.ts";
import { DESCRIPTOR_FLAG } from "../memory/layout.ts";
import { COUNTER, type Counters } from "../port/counters.ts";
import { LinkPort } from "../port/link_port.ts";
import type { HostPort } from "../port/port.ts";
import { Burst } from "../ring/burst.ts";
import { countMalformed, countTaken } from "./count_taken.ts";
import type { GateFollower } from "./gate.ts";
import type { LaneWatch } from "./lane_watch.ts";

/** A guest, as the lanes of one lcore to it see it: they share these. */
export interface LaneGuest {
  /** As the ledger numbers it. */
  readonly number: number;
  /** Whether the guest's channels may be used. */
  readonly gate: GateFollower;
  /** Told of every mbuf that is lent, asked about every one that comes back. */
  readonly ledger: Ledger;
  /** This lcore's own end of the mempool of the guest's region. */
  readonly mempool: Mempool;
  /** What the guest holds, counted by this lcore. */
  readonly outstanding: OutstandingCount;
  /** Its share of the long mbufs. */
  readonly longs: LongShare;
}

/**
 * Doorbells that a lane rings at most between two refreshes. Each is a system call, and a guest
 * that says at every burst that it has just gone to sleep would cost one a burst.
 */
const NOTIFICATIONS_MAX = 5000;

/**
 * One port and its channel to a guest: the unit of work of a host lcore.
 *
 * Frames are lent in the ledger before they are published, and looked up in it before they are
 * believed.
 */
export class Lane {
  /** Its port. */
  readonly port: HostPort;
  /** Whether the port is an end of a link: what it receives has been under way already. */
  readonly isLink: boolean;
  readonly #channel: Channel;
  readonly #guest: number;
  readonly #gate: GateFollower;
  readonly #ledger: Ledger;
  readonly #mempool: Mempool;
  readonly #counters: Counters;
  readonly #doorbell: Doorbell;
  readonly #size: number;
  readonly #burst: Burst;
  readonly #malformed: Burst;
  readonly #watch: LaneWatch;
  readonly #taken: TakenBack = nothingTaken();
  readonly #outstanding: OutstandingCount;
  readonly #longs: LongShare;
  /** Whether the port was told to pass super-frames whole. */
  #passesWhole = false;
  #notificationsLeft = NOTIFICATIONS_MAX;
  /** Of the channel, at the last refresh. */
  #violations = 0;
  /**
   * Bursts since the last refresh. To count here is quicker than in the counters, which are memory.
   */
  #rxBursts = 0;
  #txBursts = 0;

  /**
   * To be made in the lcore that runs it: port and mempool belong to one thread.
   *
   * @param port Where frames come from and go to; the lane alone calls it.
   * @param channel The rings to the guest, of which the lane uses the host's ends.
   * @param counters The port's: port and lane both write there, in this lcore.
   * @param burst Frames that one turn of the loop moves in one direction at most.
   * @param watch Shows the port's frames to captures and to a mirror.
   */
  constructor(
    port: HostPort,
    channel: Channel,
    guest: LaneGuest,
    counters: Counters,
    burst: number,
    watch: LaneWatch,
  ) {
    this.port = port;
    this.isLink = port instanceof LinkPort;
    this.#size = burst;
    this.#burst = Burst.of(burst);
    this.#malformed = Burst.of(burst);
    this.#watch = watch;
    this.#channel = channel;
    this.#guest = guest.number;
    this.#gate = guest.gate;
    this.#ledger = guest.ledger;
    this.#mempool = guest.mempool;
    this.#outstanding = guest.outstanding;
    this.#longs = guest.longs;
    this.#counters = counters;
    this.#doorbell = channel.guestDoorbell((vector) => guest.gate.wake(vector));
  }

  /** Port -> guest: one burst. Returns the frames received. */
  hostToGuest(): number {
    if (this.#gate.isShut || !this.#gate.isOpen && this.port.isPatient) return 0;
    if (this.#gate.offloads !== this.#passesWhole) this.#passWhole(this.#gate.offloads);
    this.#watch.look();
    const received = this.port.rxBurst(this.#burst, this.#size);
    if (received > 0) {
      this.#rxBursts = this.#rxBursts + 1 | 0;
      this.#watch.received(this.#burst, received);
      this.#lend(received);
    }
    this.#watch.publish();
    return received;
  }

  #lend(received: number): void {
    const burst = this.#burst;
    if (!this.#gate.isOpen) {
      this.#dropFrom(0, received, COUNTER.NO_GUEST);
      return;
    }
    let n = this.#outstanding.mayHold(received);
    if (n < received) this.#dropFrom(n, received, COUNTER.HOLD_MAX);
    // Room first: what is lent, the guest may send by another lcore as soon as it guesses the mbuf.
    const room = this.#channel.rx.reserveBurst(n);
    if (room < n) this.#dropFrom(room, n, COUNTER.RING_FULL);
    n = room;
    const flags = this.#ledger.lend(burst, n, this.#guest, true);
    this.#outstanding.add(n);
    if ((flags & DESCRIPTOR_FLAG.SUPER) !== 0) n = this.#withoutSuper(n);
    this.#channel.rx.enqueueBurst(burst, n);
    if (this.#gate.canWake) this.#notify();
  }

  /** Guest -> port: one burst, validated. Returns the descriptors dequeued. */
  guestToHost(): number {
    if (!this.#gate.isOpen) return 0;
    const burst = this.#burst;
    const n = this.#channel.tx.dequeueBurst(burst, this.#size);
    if (n === 0) return 0;
    this.#txBursts = this.#txBursts + 1 | 0;
    this.#watch.look();
    const taken = this.#taken;
    const good = this.#ledger.takeFrames(burst, n, this.#guest, this.#malformed, taken);
    this.#outstanding.add(-(good + taken.malformed));
    if (taken.malformed > 0) this.#freeMalformed();
    if (good > 0) {
      this.#watch.sending(burst, good);
      this.#send(good);
    }
    this.#watch.publish();
    countTaken(this.#taken, this.#counters);
    return n;
  }

  /** Guest -> host: take back one burst of mbufs that the guest does not want. */
  takeGiveback(): number {
    if (!this.#gate.isOpen) return 0;
    const n = this.#channel.giveback.dequeueBurst(this.#burst, this.#size);
    if (n === 0) return 0;
    const good = this.#ledger.takeEmpties(this.#burst, n, this.#guest, this.#taken);
    this.#outstanding.add(-good);
    this.#watch.givenBack(this.#burst, good);
    this.#mempool.free(this.#burst, good);
    this.#counters[COUNTER.GUEST] += this.#taken.frames;
    countTaken(this.#taken, this.#counters);
    return n;
  }

  /** Host -> guest: lend a burst of empty mbufs, as long as a quarter of all are free for ports. */
  lendMbufs(): void {
    if (!this.#gate.wantsMbufs || this.#mempool.available < this.#mempool.handle.total >>> 2) {
      return;
    }
    const burst = this.#burst;
    const n = Math.min(this.#size, this.#channel.lend.size);
    if (this.#outstanding.mayHold(n) < n || this.#channel.lend.reserveBulk(n) === 0) return;
    if (this.#mempool.allocBulk(burst, n) === 0) return;
    this.#ledger.lend(burst, n, this.#guest, false);
    this.#outstanding.add(n);
    this.#channel.lend.enqueueBulk(burst, n);
    if (this.#gate.canWake) this.#notify();
  }

  /** Whether the guest has sent or given back something, or the port makes frames. */
  get hasWork(): boolean {
    const { tx, giveback } = this.#channel;
    return this.port.hasFrames === true ||
      this.#gate.isOpen && (tx.pending > 0 || giveback.pending > 0);
  }

  /**
   * Housekeeping, several times a second.
   *
   * @param lcoreNs For how long the lcore has run, in nanoseconds.
   * @param idleNs For how long of that it had nothing to do.
   */
  refresh(lcoreNs: number, idleNs: number): void {
    this.port.refresh();
    this.#watch.refresh();
    const counters = this.#counters;
    const { violations } = this.#channel;
    counters[COUNTER.POSITION] += violations - this.#violations; // those of the last host count on
    this.#violations = violations;
    counters[COUNTER.ROUNDS]++;
    counters[COUNTER.RX_BURSTS] += this.#rxBursts;
    counters[COUNTER.TX_BURSTS] += this.#txBursts;
    this.#rxBursts = this.#txBursts = 0;
    counters[COUNTER.LCORE_NS] = lcoreNs;
    counters[COUNTER.IDLE_NS] = idleNs;
    this.#notificationsLeft = NOTIFICATIONS_MAX;
  }

  /** Close the port and its mirror, once the loop has ended. */
  close(): void {
    this.port.close();
    this.#watch.close();
  }

  /** Count how often this lane's lcore was woken for nothing: one lane counts it for all. */
  countFalseAlarms(total: number): void {
    this.#counters[COUNTER.FALSE_ALARM] = total;
  }

  #passWhole(passesWhole: boolean): void {
    this.#passesWhole = passesWhole;
    if ("passesWhole" in this.port) this.port.passesWhole = passesWhole;
  }

  /**
   * Of `n` frames that are lent, and not published, drop super-frames that the guest does not take
   * (a port had some left), or whose long mbufs are beyond the guest's share.
   */
  #withoutSuper(n: number): number {
    const [burst, longs, takes] = [this.#burst, this.#longs, this.#passesWhole];
    const { words } = burst;
    let beyond = takes ? longs.beyond(this.#guest) : 0;
    if (takes && beyond === 0) return n;
    let kept = 0;
    for (let i = 0; i < n; i++) {
      const isSuper = (words[i << 1] & DESCRIPTOR_FLAG.SUPER) !== 0;
      if (takes ? beyond > 0 && longs.isLong(burst, i) : isSuper) {
        beyond--;
        if (!this.#ledger.unlend(burst, i, this.#guest)) continue; // guessed, and sent
        this.#outstanding.add(-1);
        this.#dropFrom(i, i + 1, takes ? COUNTER.HOLD_MAX : COUNTER.OFFLOAD);
        continue;
      }
      words[kept << 1] = words[i << 1];
      words[(kept++ << 1) + 1] = words[(i << 1) + 1];
    }
    return kept;
  }

  #notify(): void {
    if (this.#notificationsLeft === 0 || !this.#doorbell.notify()) return;
    this.#notificationsLeft--;
    this.#counters[COUNTER.NOTIFIED]++;
  }

  #send(count: number): void {
    const sent = this.port.txBurst(this.#burst, count);
    if (sent === count) return;
    this.#dropFrom(sent, count, this.port.isUp ? COUNTER.TX_FULL : COUNTER.PORT_DOWN);
  }

  #dropFrom(from: number, to: number, reason: number): void {
    this.#watch.dropped(from, to, reason);
    this.#mempool.free(this.#burst, to - from, from);
    this.#counters[reason] += to - from;
  }

  #freeMalformed(): void {
    const taken = this.#taken;
    this.#watch.malformed(this.#malformed, taken.malformed);
    this.#mempool.free(this.#malformed, taken.malformed);
    countMalformed(taken, this.#counters);
  }
}
