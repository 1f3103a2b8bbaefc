import { CulvertError, FILE_ADVICE, UsageError } from "../../ffi/error.ts";
import { PacketSocket } from "../linux/packet_socket.ts";
import { stdout } from "../linux/output.ts";
import { listeningIn } from "../region/listening_servers.ts";
import { CONTROL_FOLDER, CONTROL_SOCKET, controlPath } from "./control/control_path.ts";
import type { Parsed } from "./options.ts";
import type { CTL } from "./tables/ctl.ts";

/** Milliseconds that a host may take to answer: a change waits for guests. */
const ANSWER_MS = 15_000;

type Values = Parsed<typeof CTL>["values"];

/** `culvert ctl`: returns the exit status. */
export function ctlCommand({ values, positionals: [name, ...words] }: Parsed<typeof CTL>): number {
  const asked = requestsOf(words, values);
  const socket = connect(name);
  try {
    receive(socket, name); // its greeting
    if (asked === "stats") stdout.line(stats(socket, name));
    else stdout.line(text(ask(socket, name, asked)));
  } finally {
    socket.close();
  }
  return 0;
}

function connect(name: string): PacketSocket {
  const names = listeningIn(CONTROL_FOLDER, CONTROL_SOCKET).map(({ path }) => path).join(", ");
  const advice = `no host with --control ${name} runs here; there are ${names || "none"}`;
  return PacketSocket.connect(controlPath(name), ANSWER_MS, {
    ...FILE_ADVICE,
    ...{ ENOENT: advice, ECONNREFUSED: advice },
  });
}

/** The request to be sent; "stats" stands for several. */
function requestsOf(words: readonly string[], { guest, region }: Values): string {
  const [first, second, third, fourth] = words;
  const change = (verb: "add" | "del", port: string, number = guest) =>
    `/culvert/port/${verb},${JSON.stringify({ port, guest: number, region })}`;
  const line = words.join(" ");
  if (first.startsWith("/") && words.length === 1) return first;
  if (/^(show|stats|reload|drain)$/.test(line)) {
    return line === "stats" ? line : `/culvert/${line === "show" ? "options" : line}`;
  }
  if (/^port add \S+$/.test(line)) return change("add", third);
  if (/^port del \S+$/.test(line)) return change("del", third);
  if (/^guest add \d+ \S+$/.test(line)) return change("add", fourth, Number(third));
  if (/^set \S+ \S+$/.test(line)) {
    return `/culvert/set,${JSON.stringify({ name: second, value: third })}`;
  }
  throw new UsageError(`Cannot do "${line}": culvert ctl --help lists what can be done`);
}

function receive(socket: PacketSocket, name: string): string {
  const heard = socket.receive();
  if (typeof heard === "object") return heard.text;
  throw new CulvertError(
    `Cannot control ${name} as it ${heard === "closed" ? "has ended" : "does not answer"}`,
  );
}

/** What the host answers. */
function ask(socket: PacketSocket, name: string, request: string): unknown {
  if (!socket.send(request)) throw new CulvertError(`Cannot control ${name} as it has ended`);
  const [answer] = Object.values(JSON.parse(receive(socket, name)));
  if (answer === null) {
    throw new CulvertError(
      `Cannot ask ${name} for ${request}: culvert ctl ${name} / lists what it knows`,
    );
  }
  const { error } = answer as { error?: string };
  if (error !== undefined) throw new CulvertError(error);
  return answer;
}

function stats(socket: PacketSocket, name: string): string {
  const ports = ask(socket, name, "/ethdev/list") as number[];
  const all = ports.map((port) => ({
    ...ask(socket, name, `/ethdev/info,${port}`) as object,
    ...ask(socket, name, `/ethdev/stats,${port}`) as object,
  }));
  return text(all);
}

function text(answer: unknown): string {
  const { waited_ms } = answer as { waited_ms?: number };
  if (waited_ms !== undefined) return `done: frames have waited for ${waited_ms} ms`;
  return JSON.stringify(answer, undefined, 2);
}
