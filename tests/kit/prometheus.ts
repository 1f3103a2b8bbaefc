/** A real Prometheus. */
import type { Programs } from "./programs.ts";

/** A port that nobody listens at. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** A Prometheus that scrapes `target` each second; returns what asks it for values. */
export async function startPrometheus(programs: Programs, target: string) {
  const folder = await Deno.makeTempDir({ prefix: "culvert-prometheus-" });
  const config = `global: {scrape_interval: 1s}
scrape_configs: [{job_name: culvert, static_configs: [{targets: ["${target}"]}]}]\n`;
  await Deno.writeTextFile(`${folder}/prometheus.yml`, config);
  const at = `127.0.0.1:${freePort()}`;
  const program = programs.start(
    "prometheus",
    `--config.file=${folder}/prometheus.yml`,
    `--storage.tsdb.path=${folder}/data`,
    `--web.listen-address=${at}`,
  );
  const query = async (expression: string): Promise<{ metric: unknown; value: number }[]> => {
    const url = `http://${at}/api/v1/query?query=${encodeURIComponent(expression)}`;
    const response = await fetch(url).catch(() => undefined);
    const answer = await response?.json().catch(() => undefined); // it has not begun yet
    return (answer?.data?.result ?? []).map((
      { metric, value }: { metric: unknown; value: [number, string] },
    ) => ({ metric, value: Number(value[1]) }));
  };
  const stop = async () => {
    await program.stop("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  };
  return { query, stop };
}
