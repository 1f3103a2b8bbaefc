import { doctorText } from "../doctor/doctor_text.ts";
import { examine } from "../doctor/examine.ts";
import { probesOfThisMachine } from "../doctor/probes.ts";
import type { Parsed } from "./options.ts";
import type { DOCTOR } from "./tables/doctor.ts";
import { VERSION } from "./version.ts";

/** `culvert doctor`: returns 1 if anything is bad. */
export async function doctorCommand(
  { values, positionals }: Parsed<typeof DOCTOR>,
): Promise<number> {
  const findings = await examine(probesOfThisMachine(), positionals, VERSION);
  const isColoured = Deno.stdout.isTerminal() && !Deno.noColor;
  console.log(
    values.json ? JSON.stringify(findings, undefined, 2) : doctorText(findings, isColoured),
  );
  return findings.some(({ state }) => state === "bad") ? 1 : 0;
}
