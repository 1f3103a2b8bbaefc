/**
 * The examples, between the kernel's network stacks.
 *
 * @module
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { type CableEnd, Lab, packetPorts, type Running, until } from "../kit/lab.ts";

/** Options of a guest that runs an example. */
function example(name: string, set: Record<string, string | number> = {}): string[] {
  const path = fileURLToPath(new URL(`../../app/guest/examples/${name}.ts`, import.meta.url));
  return ["--function", path, ...Object.entries(set).flatMap(([k, v]) => ["--set", `${k}=${v}`])];
}

/** A host between two namespaces, and a guest that runs `functions`. */
async function between(lab: Lab, functions: string[]) {
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost(packetPorts(a, b));
  const guest = await lab.startGuest([...functions, "-T", "1"]);
  return { a, b, host, guest };
}

/** Run a program in Python in a namespace, and wait until it has said that it is ready. */
async function python(lab: Lab, { netns }: CableEnd, program: string): Promise<Running> {
  const running = lab.start("ip", "netns", "exec", netns, "/usr/bin/python3", "-uc", program);
  await running.stdoutLine(/READY/);
  return running;
}

/** A server that sends back what each TCP connection and UDP datagram to a port brings. */
function echoServer(lab: Lab, end: CableEnd, ...ports: number[]): Promise<Running> {
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
      data, peer = s.recvfrom(9000); s.sendto(data, peer)
    else:
      c, peer = s.accept(); c.sendall(b"%s:%d" % (peer[0].encode(), peer[1])); c.close()
`,
  );
}

/** Whether a TCP connection from a namespace succeeds within a second. */
async function connects(lab: Lab, { netns }: CableEnd, ip: string, port: number): Promise<boolean> {
  const program = `import socket; print(socket.create_connection(("${ip}", ${port}), 1).recv(99))`;
  return (await lab.tryRun("ip", "netns", "exec", netns, "/usr/bin/python3", "-c", program))
    .code === 0;
}

/** How many of `count` echo requests at once are answered. */
async function pings(
  lab: Lab,
  { netns }: CableEnd,
  ip: string,
  ...args: string[]
): Promise<number> {
  const ping = ["ping", "-q", "-W", "1", ...args, ip];
  const { stdout } = await lab.tryRun("ip", "netns", "exec", netns, ...ping);
  return Number(/(\d+) received/.exec(stdout)?.[1]);
}

Deno.test("acl: the kernel's TCP, UDP and ping get through as the rules say", async () => {
  await using lab = await Lab.open();
  const rules = "deny tcp from 10.77.0.1 to any:8000-8001, allow tcp from any to any, " +
    "deny icmp from any to 10.77.0.2/31, allow icmp from 10.77.0.1 to any";
  const { a, b, host, guest } = await between(lab, example("acl", { rules }));
  await echoServer(lab, a, 8000);
  await echoServer(lab, b, 7999, 8000, 8001, 8002);
  const to = (port: number) => connects(lab, a, b.ip4, port);
  assert.deepEqual(
    await Promise.all([7999, 8000, 8001, 8002].map(to)),
    [true, false, false, true],
  );
  assert.equal(await connects(lab, b, a.ip4, 8000), true, "the rule names the other source");
  assert.equal(await pings(lab, a, b.ip4, "-c", "1"), 0);
  const { dropped } = await lab.finish({ host, guest });
  assert((dropped.get("dropped by the guest") ?? 0) >= 3);
});

Deno.test("rate_limit: of a burst of pings as many are answered as the bucket has tokens for", async () => {
  await using lab = await Lab.open();
  const set = { rate: 0, burst: 14, per: "source" };
  const { a, b, host, guest } = await between(lab, example("rate_limit", set));
  assert.equal(await pings(lab, a, b.ip4, "-c", "20", "-i", "0.01"), 14);
  assert.equal(await pings(lab, b, a.ip4, "-c", "1"), 0, "its replies took its tokens");
  const { dropped } = await lab.finish({ host, guest });
  assert.equal(dropped.get("dropped by the guest"), 7);
});

Deno.test("a chain of acl, rate_limit and syn_counter: each sees what the one before has kept", async () => {
  await using lab = await Lab.open();
  const rules = "deny tcp from any to any:8001, allow ip from any to any";
  const { a, b, host, guest } = await between(lab, [
    ...example("acl", { rules }),
    ...example("rate_limit", { rate: 0, burst: 150, per: "source" }),
    ...example("syn_counter", { seconds: 1 }),
  ]);
  await echoServer(lab, b, 8000, 8001);
  for (let i = 0; i < 5; i++) assert.equal(await connects(lab, a, b.ip4, 8000), true);
  assert.equal(await connects(lab, a, b.ip4, 8001), false);
  await until(() => countOf(guest, "TCP SYN") === 5);
  await guest.stderrLine(/TCP SYN: 10\.77\.0\.1 \d$/);
  assert.equal(await pings(lab, a, b.ip4, "-c", "200", "-i", "0.002") < 150, true);
  assert.equal(await connects(lab, a, b.ip4, 8000), false, "no tokens are left");
  assert.equal(countOf(guest, "TCP SYN"), 5);
  await lab.finish({ host, guest });
});

/** What a guest's last table says that a counter has counted. */
function countOf({ stdout }: Running, name: string): number | undefined {
  const found = [...stdout.matchAll(new RegExp(`^${name}: +(\\d+)$`, "gm"))].at(-1);
  return found && Number(found[1]);
}

Deno.test("learning_switch: four namespaces ping each other, and others do not see it", async () => {
  await using lab = await Lab.open();
  const ends: CableEnd[] = [];
  for (let number = 1; number <= 4; number++) ends.push(await lab.cable({ number }));
  const [a, b, c, d] = ends;
  const wire = await lab.wire(d.inner, d.netns);
  const host = await lab.startHost(packetPorts(...ends));
  const guest = await lab.startGuest([...example("learning_switch"), "-T", "0"]);
  for (const from of ends) {
    for (const to of ends) {
      if (from !== to) assert.equal(await pings(lab, from, to.ip4, "-c", "1"), 1);
    }
  }
  const before = wire.received.length;
  assert.equal(await pings(lab, a, b.ip4, "-c", "50", "-i", "0.005"), 50);
  assert.equal(await pings(lab, c, a.ip4, "-c", "50", "-i", "0.005"), 50);
  const seen = wire.received.slice(before).filter((frame) => frame.slice(24, 28) === "0800");
  assert.deepEqual(seen, [], "port 3 gets none of them");
  await lab.finish({ host, guest });
});
