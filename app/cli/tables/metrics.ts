import type { Command } from "../command.ts";
import { LOG, REGIONS_READ } from "./shared.ts";

/** `culvert metrics`. */
export const METRICS = {
  name: "metrics",
  summary: "serve metrics of regions to Prometheus, and live plots",
  usage: ["[REGION...] [--listen ADDRESS:PORT]"],
  positionals: [REGIONS_READ],
  options: {
    "listen": {
      kind: "text",
      argument: "ADDRESS:PORT",
      default: "127.0.0.1:9497",
      about: "where to listen, as 127.0.0.1:9497, [::1]:9497 or 0.0.0.0:9497. Everybody who " +
        "reaches it may read all that there is",
    },
    ...LOG,
  },
  text: [
    "A process of its own, so that hosts need no network permission. It reads regions as " +
    "`culvert top` does: each user that may use a region may run it. Regions and hosts may come " +
    "and go; counters go on when a host begins anew, for as long as this process runs.",
    [
      ["/metrics", "for Prometheus. Names begin with culvert_, drops have a label for the reason"],
      ["/", "a page with plots of the last ten minutes, live; it needs nothing from elsewhere"],
      ["/history.json", "what the page plots"],
    ],
    "With OTEL_DENO=true in the environment it exports the same by OTLP, to " +
    "OTEL_EXPORTER_OTLP_ENDPOINT (http://localhost:4318): Deno's own OpenTelemetry does, with its " +
    "other variables.",
    "It listens, then gives up all of Deno's permissions. SIGINT, SIGTERM or SIGHUP ends it.",
  ],
  examples: [{ line: "culvert metrics --listen 127.0.0.1:9497" }],
} as const satisfies Command;
