import type { ObservableCounter, ObservableGauge } from "@opentelemetry/api";
import { PREFIX } from "./exposition.ts";
import { FAMILIES } from "./families.ts";
import type { Snapshot } from "./snapshot.ts";

/** Loaded only when telemetry is on. No literal in `import()`: Deno would look for it at once. */
const API = "@opentelemetry/api";

/**
 * The variable that turns Deno's own OpenTelemetry on, which exports as OTEL_EXPORTER_OTLP_* say.
 */
const SWITCH = "OTEL_DENO";

/** Whether Deno's OpenTelemetry is on: it takes `true` or `1`. */
function isOn(): boolean {
  return ["true", "1"].includes(Deno.env.get(SWITCH) ?? "");
}

/** Have Deno export the same metrics by OTLP, if its telemetry is on. */
export async function exportByOtlp(snapshot: Snapshot): Promise<void> {
  if (!isOn()) return;
  const { metrics }: typeof import("@opentelemetry/api") = await import(API);
  const meter = metrics.getMeter("culvert");
  const instruments = new Map(FAMILIES.map(({ name, kind, help }) => {
    const make = kind === "counter" ? "createObservableCounter" : "createObservableGauge";
    // The prefix is that for Prometheus, so that both have one name; the receiver adds `_total`
    // itself.
    return [name, meter[make](PREFIX + name, { description: help })] as const;
  }));
  meter.addBatchObservableCallback((result) => {
    for (const { family, samples } of snapshot.measured) {
      const instrument = instruments.get(family.name)!;
      for (const { labels, value } of samples) result.observe(instrument, value, { ...labels });
    }
  }, [...instruments.values()] as (ObservableCounter | ObservableGauge)[]);
}
