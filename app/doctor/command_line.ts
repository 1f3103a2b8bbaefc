/** Commands that meet in a region. */
const COMMANDS = ["host", "guest", "run", "server"];

/** Interfaces in a host's command line. */
const PORT = /^(?:packet|xdp):([^,]+)/;

/** What a command line of ours runs; undefined if it is another program's. */
export function parseCommandLine(
  args: readonly string[],
): { main: string; command: string; interfaces: string[] } | undefined {
  const at = args.findIndex((arg) => /(^|\/)main\.(ts|js)$/.test(arg));
  const [main, command, ...rest] = at < 1 ? [] : args.slice(at);
  if (command === undefined || !COMMANDS.includes(command)) return undefined;
  const interfaces = rest.flatMap((arg) => PORT.exec(arg.replace(/^--port=/, ""))?.[1] ?? []);
  return { main, command, interfaces };
}
