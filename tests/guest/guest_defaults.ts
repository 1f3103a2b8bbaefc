import type { GuestOptions } from "../../app/guest/guest_options.ts";

/** A guest of one lcore, which does nothing to frames. */
export const GUEST_DEFAULTS: GuestOptions = {
  source: { region: "r0" },
  guest: 0,
  cores: [0],
  functions: [],
  onError: "drop",
  isChecked: false,
  takesPushes: false,
  statsPeriod: 0,
  idle: "poll",
  burst: 32,
};
