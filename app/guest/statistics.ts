import { readCounters } from "../channel/function_counters.ts";
import { GUEST_COUNTER, type GuestCounters } from "./virtual_port.ts";

/** Bytes that a frame takes on the wire beside its own: FCS, preamble, gap (IEEE 802.3). */
const WIRE_OVERHEAD_BYTES = 24;

/** Prints the table that l2fwd users know, with rates since the last time. */
export class Statistics {
  #then = performance.now();
  #last: ReadonlyMap<number, Float64Array>;

  /**
   * Rates of the first table count from now.
   *
   * @param ports Each port's number and counters, which go on counting; of each queue, if there are
   * several.
   * @param functions What functions count, of each lcore.
   */
  constructor(
    private readonly ports: readonly { number: number; counters: GuestCounters }[],
    private readonly functions: () => readonly SharedArrayBuffer[] = () => [],
  ) {
    this.#last = this.#byPort();
  }

  /** All that was received, sent and dropped, and what functions count, in a line. */
  get summary(): string {
    const total = (counter: number) =>
      this.ports.reduce((sum, { counters }) => sum + counters[counter], 0);
    const rung = total(GUEST_COUNTER.NOTIFIED);
    return `received ${total(GUEST_COUNTER.RX)} frames, sent ${total(GUEST_COUNTER.TX)}, ` +
      `dropped ${total(GUEST_COUNTER.DROPPED) + total(GUEST_COUNTER.RX_DROPPED)}` +
      (rung > 0 ? `; ${rung} doorbells rung` : "") +
      [...this.counted].map(([name, value]) => `; ${name}: ${value}`).join("");
  }

  /** The table as it stands now. */
  table(): string {
    const now = performance.now();
    const seconds = (now - this.#then) / 1000;
    const lines = ["", "Port statistics ===================================="];
    const total = { sent: 0, received: 0, dropped: 0, rate: 0, bits: 0 };
    const ports = this.#byPort();
    ports.forEach((counters, number) => {
      const last = this.#last.get(number)!;
      const packets = counters[GUEST_COUNTER.TX] - last[GUEST_COUNTER.TX];
      const bytes = counters[GUEST_COUNTER.TX_BYTES] - last[GUEST_COUNTER.TX_BYTES];
      const dropped = counters[GUEST_COUNTER.DROPPED] + counters[GUEST_COUNTER.RX_DROPPED];
      const rate = packets / seconds / 1e6;
      const bits = (bytes + packets * WIRE_OVERHEAD_BYTES) * 8 / seconds / 1e9;
      lines.push(
        `Statistics for port ${number} ------------------------------`,
        row("Packets sent", counters[GUEST_COUNTER.TX]),
        row("Packets received", counters[GUEST_COUNTER.RX]),
        row("Packets dropped", dropped),
        rates(rate, bits),
      );
      total.sent += counters[GUEST_COUNTER.TX];
      total.received += counters[GUEST_COUNTER.RX];
      total.dropped += dropped;
      total.rate += rate;
      total.bits += bits;
    });
    lines.push(
      "Aggregate statistics ===============================",
      row("Total packets sent", total.sent),
      row("Total packets received", total.received),
      row("Total packets dropped", total.dropped),
      rates(total.rate, total.bits),
      ...this.#functionRows(),
      "====================================================",
    );
    this.#then = now;
    this.#last = ports;
    return lines.join("\n");
  }

  /** What is counted by now of each port, by number. */
  #byPort(): Map<number, Float64Array> {
    const sums = new Map<number, Float64Array>();
    for (const { number, counters } of this.ports) {
      const sum = sums.get(number);
      sums.set(number, sum ? sum.map((n, i) => n + counters[i]) : Float64Array.from(counters));
    }
    return sums;
  }

  /** What functions count, by name, of all lcores together. */
  get counted(): Map<string, number> {
    const sums = new Map<string, number>();
    for (const buffer of this.functions()) {
      for (const [name, value] of readCounters(new Uint8Array(buffer))) {
        sums.set(name, (sums.get(name) ?? 0) + value);
      }
    }
    return sums;
  }

  #functionRows(): string[] {
    const failed = this.ports.reduce(
      (sum, { counters }) => sum + counters[GUEST_COUNTER.FAILED],
      0,
    );
    const rows = [...this.counted].map(([name, value]) => row(name, value));
    if (failed > 0) rows.push(row("Packets failed", failed));
    return rows.length === 0
      ? []
      : ["Counted by functions -------------------------------", ...rows];
  }
}

function row(label: string, value: number): string {
  return `${`${label}:`.padEnd(24)}${String(value).padStart(16)}`;
}

function rates(mpps: number, gbps: number): string {
  return `${"Sending at:".padEnd(24)}${mpps.toFixed(3).padStart(11)} Mpps ${gbps.toFixed(3)} Gb/s`;
}
