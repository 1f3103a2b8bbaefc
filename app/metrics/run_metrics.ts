import type { Log } from "../linux/log.ts";
import { type Advice, kernelError } from "../../ffi/error.ts";
import { figuresOf, type RegionFigures } from "../inspect/figures.ts";
import { type RegionLook, RegionWatch } from "../inspect/region_watch.ts";
import { WakeableTimer } from "../lcore/wakeable_timer.ts";
import { giveUpPermissions } from "../linux/privileges.ts";
import { EXPOSITION_TYPE, expositionText } from "./exposition.ts";
import { PlotHistory } from "./history.ts";
import { exportByOtlp } from "./otlp.ts";
import { Snapshot } from "./snapshot.ts";
import { pageText } from "./page_file.ts";

/** What `culvert metrics` is asked to do. */
export interface MetricsOptions {
  /** Names and paths of regions; none: all that have a server. */
  readonly regions: readonly string[];
  /** The address to listen at. */
  readonly hostname: string;
  /** The TCP port to listen at. */
  readonly port: number;
  /** The version of this program. */
  readonly version: string;
}

/** Milliseconds between two looks at the regions. */
const LOOK_MS = 1000;

/**
 * Serve metrics of regions by HTTP until `signal`, and export them by OTLP if Deno's telemetry is
 * on.
 *
 * @param log Told what happens, a line at a time.
 * @throws {CulvertError} if the address cannot be listened at.
 */
export async function runMetrics(
  options: MetricsOptions,
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  const watched = new WatchedMetrics(options, log);
  await exportByOtlp(watched.snapshot);
  watched.look();
  const page = pageText();
  const server = listen(options, (request) => watched.answer(request, page));
  giveUpPermissions();
  const { hostname, port } = server.addr as Deno.NetAddr;
  const at = `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
  log(`metrics at http://${at}/metrics, plots at http://${at}/`);
  const timer = new WakeableTimer();
  signal.addEventListener("abort", () => timer.wake());
  try {
    while (!signal.aborted) {
      await timer.wait(LOOK_MS);
      watched.look();
    }
  } finally {
    await server.shutdown();
    watched.close();
  }
}

const LISTEN_ADVICE: Advice = {
  EADDRINUSE: "see who listens there (ss -ltnp), or use another --listen",
  EADDRNOTAVAIL: "this machine has no such address (ip address); use another --listen",
  EACCES: "a port below 1024 is for root; use a higher one",
};

function listen(
  { hostname, port }: MetricsOptions,
  answer: (request: Request) => Response,
): Deno.HttpServer {
  try {
    return Deno.serve({ hostname, port, onListen() {} }, answer);
  } catch (error) {
    throw kernelError(error, `listen at ${hostname}:${port}`, LISTEN_ADVICE);
  }
}

/** Regions, what was found in them at the last look, and what is answered. */
class WatchedMetrics {
  readonly snapshot = new Snapshot();
  readonly #history = new PlotHistory();
  readonly #watch: RegionWatch;
  #last = new Map<string, RegionLook>();
  #regions: readonly RegionFigures[] = [];
  readonly #told = new Map<string, string>();

  constructor(
    private readonly options: MetricsOptions,
    private readonly log: Log,
  ) {
    this.#watch = new RegionWatch(options.regions);
  }

  look(): void {
    const now = performance.now();
    const looks = this.#watch.look(now);
    this.#regions = looks.flatMap((look) =>
      look.report ? [figuresOf({ ...look, report: look.report }, this.#last.get(look.name))] : []
    );
    for (const look of looks) this.#tell(look);
    this.#last = new Map(looks.map((look) => [look.name, look]));
    this.snapshot.update(this.#regions, looks, now);
    // By a clock that is never set, as a page asks for all that is newer than its last time.
    this.#history.add(this.#regions, (performance.timeOrigin + now) / 1000);
  }

  answer(request: Request, page: string): Response {
    const { pathname, searchParams } = new URL(request.url);
    if (request.method !== "GET" && request.method !== "HEAD") {
      return reply("only GET and HEAD are answered\n", "text/plain", 405);
    }
    if (pathname === "/metrics") {
      return reply(
        expositionText(this.snapshot.measured, this.options.version),
        EXPOSITION_TYPE,
      );
    }
    if (pathname === "/") return reply(page, "text/html; charset=utf-8");
    if (pathname === "/history.json") {
      const since = Number(searchParams.get("since")) || 0;
      const answer = { ...this.#history.after(since), regions: this.#regions.map(stateOf) };
      return reply(JSON.stringify(answer), "application/json");
    }
    return reply("there are /, /metrics and /history.json\n", "text/plain", 404);
  }

  close(): void {
    this.#watch.close();
  }

  /** Log a region's problem once, and again when it is another one. */
  #tell({ name, problem = "" }: RegionLook): void {
    if (problem !== (this.#told.get(name) ?? "") && problem !== "") {
      this.log(problem, { level: "warning" });
    }
    this.#told.set(name, problem);
  }
}

/** What the page's table shows of a region. */
function stateOf({ name, report: { host, guests }, mbufs, ports }: RegionFigures) {
  return {
    name,
    host: host?.state ?? "",
    isAlive: host?.isAlive !== false,
    mbufs,
    guests: guests.map(({ name, state, isAlive, incarnation, outstanding }) => {
      return { name, state, isAlive, incarnation, outstanding };
    }),
    ports: ports.map(({ guest, number, name, isDown, rx, tx, drops }) => {
      return { guest, number, name, isDown, rx, tx, drops };
    }),
  };
}

/** The page loads nothing from elsewhere, and no other page may frame it. */
const POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; " +
  "img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

function reply(body: string, type: string, status = 200): Response {
  const headers = {
    "content-type": type,
    "cache-control": "no-store",
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
  };
  return new Response(body, { status, headers });
}
