/**
 * A port's frames, copied to a TAP.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Lab, packetPorts, testFrame, until } from "../kit/lab.ts";

Deno.test("--mirror copies what a port receives and sends to a TAP, unchanged, VLAN tags too", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const span = lab.name("span");
  const mirror = ["--mirror", `${pair.a.outer}=tap:${span}`];
  const running = await lab.forwarding(pair, { host: mirror });
  const { a, b } = running.wires;
  const path = await Deno.makeTempFile({ suffix: ".pcap" });
  const tcpdump = lab.start("tcpdump", "-i", span, "-c", "4", "-w", path, "ether[1] = 0xaa");
  await tcpdump.stderrLine(/listening on/);
  const there = [testFrame(64), testFrame(1514), testFrame(100, { tags: "8100a064" })];
  const back = [testFrame(61, { seed: 9 })];
  for (const frame of there) await a.send(frame);
  await b.arrived(() => true, there.length);
  for (const frame of back) await b.send(frame);
  await a.arrived(() => true, back.length);
  const ended = await tcpdump.ended();
  assert.equal(ended.code, 0, ended.stderr);
  const dump = await lab.run("tcpdump", "-r", path, "-xx", "-n");
  const seen = dump.stdout.split(/^\d\d:\d\d:.*\n/m).slice(1)
    .map((text) => text.replace(/^\s+0x\w+:|\s/gm, ""));
  assert.deepEqual(seen, [...there, ...back]);
  await Deno.remove(path);
  await running.guest.stop();
  const { code, stdout, stderr } = await running.host.stop();
  assert.equal(code, 0, stderr);
  assert.match(stdout, /received 4 = forwarded 4 \+ dropped 0/);
  assert.match(stdout, /also 4 copies sent to mirrors/);
  assert.equal(await lab.link(span), undefined, "the TAP goes with the host");
});

Deno.test("Suricata at a mirror sees each ping, and drops nothing", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const span = lab.name("span");
  const host = await lab.startHost([...packetPorts(a, b), "--mirror", `${a.outer}=tap:${span}`]);
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  const logs = await Deno.makeTempDir({ prefix: "culvert-suricata-" });
  const rule = 'alert icmp any any -> any any (msg:"ping"; itype:8; sid:1000001;)\n';
  await Deno.writeTextFile(`${logs}/ping.rules`, rule);
  const suricata = lab.start(
    ...["suricata", "-i", span, "-S", `${logs}/ping.rules`, "-l", logs, "--runmode", "single"],
    ...["-k", "none"],
  );
  const read = (name: string) => Deno.readTextFile(`${logs}/${name}`).catch(() => "");
  await until(async () => /Engine started/.test(await read("suricata.log")), "it starts", 60_000);
  await lab.inNamespace(a.netns, "ping", "-c", "5", "-i", "0.2", "-W", "5", b.ip4);
  const alerts = async () => (await read("fast.log")).match(/\] ping \[/g)?.length;
  await until(async () => await alerts() === 5, "an alert a ping");
  await suricata.stop("SIGINT");
  assert.match(await read("suricata.log"), /packets: \d+, drops: 0 /);
  await Deno.remove(logs, { recursive: true });
  await lab.finish({ host, guest });
});

Deno.test("A mirror that is down loses copies, and counts them; frames are forwarded all the same", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const span = lab.name("span");
  await lab.run("ip", "tuntap", "add", span, "mode", "tap");
  lab.removeLink(span);
  const mirror = ["--mirror", `packet:${pair.a.outer}=tap:${span}`];
  const running = await lab.forwarding(pair, { host: mirror });
  const { a, b } = running.wires;
  await lab.run("ip", "link", "set", span, "down");
  const frame = testFrame(64);
  await a.send(frame, 100);
  await b.arrived(() => true, 100);
  await lab.run("ip", "link", "set", span, "up");
  await until(async () => {
    await a.send(frame);
    const { stdout } = await lab.run("ip", "-s", "-j", "link", "show", span);
    return JSON.parse(stdout)[0].stats64.rx.packets > 0;
  });
  await running.guest.stop();
  const { stdout } = await running.host.stop();
  const lost = Number(/also (\d+) copies lost/.exec(stdout)?.[1]);
  assert(lost >= 100, stdout);
  assert.match(stdout, /dropped 0\n/);
});

Deno.test("A port that gets no mirror is told why", async () => {
  await using lab = await Lab.open();
  const refused = async (mirror: string, wanted: RegExp) => {
    const host = lab.host([
      ...packetPorts({ outer: "lo9" }),
      "--port",
      "ring:x",
      "--mirror",
      mirror,
    ]);
    const { code, stderr } = await host.ended();
    assert.equal(code, 2, stderr);
    assert.match(stderr, wanted);
  };
  await refused("lo9", /as it is no PORT=tap:NAME/);
  await refused("lo9=ring:x", /Cannot mirror to ring:x as it is no TAP: write lo9=tap:NAME/);
  await refused("eth7=tap:s0", /eth7 as 0 of the host's are called so: it has packet:lo9, ring:x/);
});
