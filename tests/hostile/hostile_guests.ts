import { fileURLToPath } from "node:url";
import type { Lab, Running } from "../kit/lab.ts";

const PROGRAM = fileURLToPath(new URL("./hostile_process.ts", import.meta.url));

/** Hostile guests that are ready. */
export interface HostileGuests {
  /** Let them attack. */
  begin(): Promise<void>;
  /** End them; what went wrong with them, in words, empty if nothing did. */
  end(): Promise<string>;
}

/** Start hostile guests, a process in each of the first `places` of a region's `guests`. */
export async function startHostile(
  lab: Lab,
  region: string,
  { seed, places, guests = places, onlyLie = false }: {
    readonly seed: number;
    readonly places: number;
    readonly guests?: number;
    /** Whether they write nowhere but to their own rings. */
    readonly onlyLie?: boolean;
  },
): Promise<HostileGuests> {
  const deno = ["nice", "-n", "5", Deno.execPath(), "run", "-A", "--no-check", PROGRAM, region];
  const processes: Running[] = [];
  for (let own = 0; own < places; own++) {
    const args = [guests, own, seed * 2 + own].map(String);
    processes.push(lab.start(...deno, ...args, ...onlyLie ? ["lie"] : []));
  }
  for (const one of processes) await one.stderrLine(/ready/);
  return {
    async begin() {
      for (const one of processes) await one.write("go");
    },
    async end() {
      const said = processes.map(({ stderr }) => stderr.trim());
      await Promise.all(processes.map((one) => one.stop("SIGKILL")));
      return said.every((line) => line === "ready") ? "" : `hostile guests have failed: ${said}`;
    },
  };
}
