import type { RegionFigures } from "../inspect/figures.ts";

/** Looks that are remembered: as many as a wide terminal has columns for. */
const LENGTH = 120;

/** What ports have moved in the last looks: frames a second, both ways together. */
export class History {
  #rates = new Map<string, number[]>();

  /** Remember a look. Ports that are gone are forgotten. */
  add(regions: readonly RegionFigures[]): void {
    const rates = new Map<string, number[]>();
    for (const { name, ports } of regions) {
      for (const port of ports) {
        const key = keyOf(name, port);
        const known = this.#rates.get(key) ?? [];
        rates.set(key, [...known, port.rx.frameRate + port.tx.frameRate].slice(-LENGTH));
      }
    }
    this.#rates = rates;
  }

  /** The rates of a port, the oldest first. */
  of(region: string, port: { readonly guest: string; readonly number: number }): readonly number[] {
    return this.#rates.get(keyOf(region, port)) ?? [];
  }
}

function keyOf(region: string, { guest, number }: { guest: string; number: number }): string {
  return `${region} ${guest}.p${number}`;
}
