import type { RegionFigures } from "../inspect/figures.ts";
import type { RegionLook } from "../inspect/region_watch.ts";
import { FAMILIES, type Family, type Labels } from "./families.ts";
import { Totals } from "./totals.ts";

/** A metric with its values in all regions. */
export interface Measured {
  /** The metric. */
  readonly family: Family;
  /** A value for each set of labels. */
  readonly samples: readonly { readonly labels: Labels; readonly value: number }[];
}

/** What metrics say at the moment, made anew with each look at the regions. */
export class Snapshot {
  readonly #totals = new Totals();
  #measured: readonly Measured[] = [];

  /** All metrics, also the ones without values. */
  get measured(): readonly Measured[] {
    return this.#measured;
  }

  /**
   * Take over what a look has found.
   *
   * @param now A clock in milliseconds.
   */
  update(
    regions: readonly RegionFigures[],
    looks: readonly RegionLook[],
    now: number,
  ): void {
    const runs = new Map(looks.map(({ name, run }) => [name, run]));
    // While a region is being built, some of its counters are still the former host's.
    const whole = regions.filter(({ report: { host } }) =>
      host !== null && host.state !== "BUILDING"
    );
    for (const { name } of whole) this.#totals.see(name, now);
    this.#measured = FAMILIES.map((family) => ({
      family,
      samples: whole.flatMap((region) =>
        family.samples(region).map(({ labels, run, value }) => ({
          labels,
          value: family.kind === "gauge" ? value : this.#totals.of(
            region.name,
            family.name + JSON.stringify(labels),
            run ?? runs.get(region.name) ?? "",
            value,
          ),
        }))
      ),
    }));
  }
}
