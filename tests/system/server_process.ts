import type { Lab, Running } from "../kit/lab.ts";

/** A server in the foreground, ready for peers. */
export async function serve(lab: Lab, args: string[] = []): Promise<Running> {
  const server = lab.culvert("server", ["-F", "-v", "-S", lab.region, "-l", "1M", ...args]);
  await server.stderrLine(/ is ready: /);
  return server;
}
