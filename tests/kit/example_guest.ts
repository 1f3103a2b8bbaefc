/**
 * What tests of the examples share: a guest that runs one, and programs in namespaces that use the
 * kernel's stack.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { type CableEnd, type Lab, packetPorts, type Running } from "./lab.ts";

/** Options of a guest that runs an example. */
export function example(name: string, set: Record<string, string | number> = {}): string[] {
  const path = fileURLToPath(new URL(`../../app/guest/examples/${name}.ts`, import.meta.url));
  return ["--function", path, ...Object.entries(set).flatMap(([k, v]) => ["--set", `${k}=${v}`])];
}

/** A host between two namespaces, and a guest that runs `functions`. */
export async function between(lab: Lab, functions: string[]) {
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost(packetPorts(a, b));
  const guest = await lab.startGuest([...functions, "-T", "1"]);
  return { a, b, host, guest };
}

/** Run a program in Python in a namespace, and wait until it has said that it is ready. */
export async function python(lab: Lab, { netns }: CableEnd, program: string): Promise<Running> {
  const running = lab.start("ip", "netns", "exec", netns, "/usr/bin/python3", "-uc", program);
  await running.stdoutLine(/READY/);
  return running;
}

/** A server that tells who connects to one of its ports, or sends a datagram there, who he is. */
export function peerServer(lab: Lab, end: CableEnd, ...ports: number[]): Promise<Running> {
  return python(
    lab,
    end,
    `
import selectors, socket
ready = selectors.DefaultSelector()
for port in ${JSON.stringify(ports)}:
  for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    s = socket.socket(socket.AF_INET, kind); s.bind(("", port)); ready.register(s, 1)
    if kind == socket.SOCK_STREAM: s.listen(64)
print("READY")
while True:
  for key, _ in ready.select():
    s = key.fileobj
    if s.type == socket.SOCK_DGRAM:
      peer = s.recvfrom(9000)[1]; s.sendto(b"%s:%d" % (peer[0].encode(), peer[1]), peer)
    else:
      c, peer = s.accept(); c.sendall(b"%s:%d" % (peer[0].encode(), peer[1])); c.close()
`,
  );
}

/** Run a program in Python in a namespace to its end; returns what it prints. */
export async function pythonSays(lab: Lab, { netns }: CableEnd, program: string): Promise<string> {
  const { stdout } = await lab.inNamespace(netns, "/usr/bin/python3", "-c", program);
  return stdout.trim();
}

/** The address and port that a TCP server sees of a connection; "" if that takes too long. */
export function connection(lab: Lab, end: CableEnd, ip: string, port: number): Promise<string> {
  return pythonSays(
    lab,
    end,
    `
import socket
try: print(socket.create_connection(("${ip}", ${port}), 3).recv(99).decode())
except OSError: pass
`,
  );
}

/** Whether a TCP connection from a namespace succeeds. */
export async function connects(
  lab: Lab,
  end: CableEnd,
  ip: string,
  port: number,
): Promise<boolean> {
  return await connection(lab, end, ip, port) !== "";
}

/** What a guest's last table says that a counter has counted. */
export function countOf({ stdout }: Running, name: string): number | undefined {
  const found = [...stdout.matchAll(new RegExp(`^${name}: +(\\d+)$`, "gm"))].at(-1);
  return found && Number(found[1]);
}
