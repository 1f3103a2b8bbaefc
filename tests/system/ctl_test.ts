import { deepEqual, equal, match, ok } from "node:assert/strict";
import { controlPath } from "../../app/cli/control/control_path.ts";
import { PacketSocket } from "../../app/linux/packet_socket.ts";
import { Lab, packetPorts, type Running, until } from "../kit/lab.ts";
import { exchangeNumbered, ROOM } from "../kit/vm.ts";

/** How often a port comes and goes while frames are under way. */
const TIMES = Number(Deno.args[0] ?? 20);

/** How often one does under iperf3's load, after such pauses; and for how long that lasts. */
const CHANGES = Deno.args.length > 0 ? TIMES : 4, PAUSE_MS = 250;
const SECONDS = Math.ceil(CHANGES * 0.6) + 2;

/** As many as take that long, on a busy machine. */
const RATE = 800, FRAMES = RATE / 4 * TIMES;

/** A host's control, asked without a process for each question. */
class Client implements Disposable {
  readonly #socket: PacketSocket;

  constructor(name: string) {
    this.#socket = PacketSocket.connect(controlPath(name), 20_000);
    this.receive();
  }

  ask(request: string): unknown {
    ok(this.#socket.send(request));
    return Object.values(this.receive())[0];
  }

  receive(): Record<string, unknown> {
    const heard = this.#socket.receive();
    ok(typeof heard === "object", String(heard));
    return JSON.parse(heard.text);
  }

  [Symbol.dispose](): void {
    this.#socket.close();
  }
}

/** `culvert ctl`, to its end. */
function ctl(lab: Lab, ...args: string[]) {
  return lab.culvert("ctl", args).ended();
}

async function startHost(lab: Lab, args: string[]): Promise<Running> {
  return await lab.startHost([...args, "--control", lab.region, ...ROOM]);
}

Deno.test(`No frame between two ports is lost while a third comes and goes ${TIMES} times`, async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const tap = lab.name("t");
  const host = await startHost(lab, [...packetPorts(pair.a, pair.b), "--may-add", `${tap}*`]);
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  const waits: number[] = [];
  const churn = async () => {
    using client = new Client(lab.region);
    for (let time = 0; time < TIMES; time++) {
      const verb = time % 2 === 0 ? "add" : "del";
      const answer = client.ask(`/culvert/port/${verb},${JSON.stringify({ port: `tap:${tap}` })}`);
      const { waited_ms } = answer as { waited_ms: number };
      ok(waited_ms >= 0, JSON.stringify(answer));
      waits.push(waited_ms);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const churning = churn();
  const exchanged = exchangeNumbered(lab, [pair.a, pair.b], { frames: FRAMES, rate: RATE });
  await Promise.allSettled([exchanged, churning]);
  await churning;
  await exchanged.catch(async (error) => {
    throw new Error(`${(await host.stop()).stdout}\n${host.stderr.match(/.*held.*/g)}`, {
      cause: error,
    });
  });
  waits.sort((a, b) => a - b);
  console.log(`  frames waited for ${waits[TIMES / 2]} ms (median), ${waits.at(-1)} at most`);
  equal(await lab.link(tap), undefined);
  const { forwarded } = await lab.finish({ host, guest });
  ok(forwarded >= 2 * FRAMES, "counters go on over all changes");
});

Deno.test("A TAP that was deleted, and made anew by its host, is not made anew by a change", async () => {
  await using lab = await Lab.open();
  const tap = lab.name("t");
  const host = await startHost(lab, ["--port", `tap:${tap}`, "--port", "null:0"]);
  const index = async () => (await lab.link(tap))?.ifindex;
  const first = await index();
  await lab.run("ip", "link", "delete", tap);
  await until(async () => ![first, undefined].includes(await index()));
  const second = await index();
  equal((await ctl(lab, lab.region, "port", "add", "null:64")).code, 0);
  equal(await index(), second);
  await lab.stopHost(host);
  equal(await index(), undefined);
});

Deno.test(`iperf3 loses no datagram, and its TCP goes on, while a port comes and goes ${CHANGES} times`, async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const host = await startHost(lab, [...packetPorts(a, b)]);
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  using client = new Client(lab.region);
  const load = async (...args: string[]) => {
    const server = lab.start("ip", "netns", "exec", b.netns, "iperf3", "-s", "-1", "--forceflush");
    await server.stdoutLine(/listening/);
    const iperf3 = ["ip", "netns", "exec", a.netns, "iperf3", "-c", b.ip4, "-t", String(SECONDS)];
    const loading = lab.start(...iperf3, "--json", ...args).ended(2000 * SECONDS);
    for (let change = 0; change < CHANGES; change++) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      const verb = change % 2 === 0 ? "add" : "del";
      const answer = client.ask(`/culvert/port/${verb},{"port":"null:0"}`);
      ok("waited_ms" in (answer as object), JSON.stringify(answer));
    }
    const { stdout } = await loading;
    equal((await server.ended()).code, 0, stdout);
    return JSON.parse(stdout);
  };
  const { end, intervals } = await load();
  const { imissed } = client.ask("/ethdev/stats,0") as { imissed: number };
  const rate = (end.sum_received.bits_per_second / 1e6).toFixed(0);
  console.log(`  TCP: ${rate} Mb/s, ${imissed} frames had no room in the kernel`);
  ok(end.sum_received.bits_per_second > 1e7);
  const last = intervals.slice(-3).map(({ sum }: { sum: { bytes: number } }) => sum.bytes);
  ok(last.some((bytes: number) => bytes > 0), `it flows at the end, once TCP tries again: ${last}`);
  const { end: { sum } } = await load("-u", "-b", "10M", "-l", "1200", "-w", "2M"); // room for what waited
  console.log(`  UDP: ${sum.lost_packets} of ${sum.packets} datagrams lost`);
  ok(sum.packets > 500 * SECONDS);
  equal(sum.lost_packets, 0);
  await guest.stop();
  await lab.stopHost(host);
});

Deno.test("culvert ctl changes a host, tells what it does, and says why it does not", async () => {
  await using lab = await Lab.open();
  const host = await startHost(lab, ["--port", "null:0", "--port", "ring:a"]);
  const name = lab.region;
  const does = async (...words: string[]) => {
    const { code, stdout, stderr } = await ctl(lab, name, ...words);
    equal(code, 0, stderr);
    return stdout;
  };
  const refuses = async (...words: string[]) => {
    const { code, stderr } = await ctl(lab, name, ...words);
    ok(code > 0);
    return stderr;
  };
  match(
    await does("port", "add", "ring:b", "--guest", "2"),
    /^done: frames have waited for \d+ ms/,
  );
  match(await does("guest", "add", "3", "null:0"), /^done/);
  match(await does("set", "idle", "sleep"), /^done/);
  deepEqual(JSON.parse(await does("show")).regions[0].guests, [
    { number: 0, ports: ["null:0", "ring:a"] },
    { number: 2, ports: ["ring:b"] },
    { number: 3, ports: ["null:0"] },
  ]);
  equal(JSON.parse(await does("show")).idle, "sleep");
  match(await does("port", "del", "ring:b"), /^done/);
  equal(JSON.parse(await does("stats")).length, 3);
  equal(JSON.parse(await does("/ethdev/list")).length, 3);
  match(await refuses("port", "add", "ring:a"), /Cannot use port ring:a twice/);
  match(await refuses("port", "add", "tab:x"), /"tab" is no kind of port/);
  match(await refuses("port", "add", "tap:nobody0"), /the host has given up .* --may-add nobody0/);
  match(await refuses("port", "del", "ring:b"), /there is none: there are null:0, ring:a/);
  match(await refuses("port", "add", "null", "--region", "x"), /Cannot find region x/);
  match(await refuses("set", "mtu", "9000"), /Cannot set mtu while the host runs/);
  match(await refuses("set", "burst", "999"), /no whole number from 1 to 256/);
  match(await refuses("reload"), /no configuration file/);
  match(await refuses("/nonsense"), /Cannot ask .* for \/nonsense/);
  match(await refuses("frobnicate"), /culvert ctl --help lists/);
  match((await ctl(lab, `${name}x`, "show")).stderr, /Cannot connect to .*dpdk_telemetry\.v2/);
  equal(JSON.parse(await does("stats")).length, 3, "all that was refused has changed nothing");
  match(await does("drain"), /stopping/);
  equal((await host.ended()).code, 0);
});

Deno.test("SIGHUP has a host do what its configuration says now; a wrong one changes nothing", async () => {
  await using lab = await Lab.open();
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  const [tap, span] = [lab.name("t"), lab.name("s")];
  const base = { control: lab.region, log: "json", "may-add": `none,${span}` };
  const write = (ports: string[], rest: Record<string, unknown> = {}, region = "") => {
    const all = Object.entries({ ...base, ...rest }).map(([name, value]) =>
      `${name} = ${JSON.stringify(value)}\n`
    );
    const text = `${all.join("")}[[region]]\nname = "${lab.region}"\n${region}\n`;
    return Deno.writeTextFile(file, `${text}ports = ${JSON.stringify(ports)}\n`);
  };
  const ports = [`tap:${tap}`, "ring"];
  await write(ports);
  const host = lab.culvert("host", ["--config", file]);
  await host.stderrLine(/^\{.*is ready/);
  const show = async () => JSON.parse((await ctl(lab, lab.region, "show")).stdout);
  const does = async (...change: Parameters<typeof write>) => {
    await write(...change);
    host.kill("SIGHUP");
    await host.stderrLine(/reloaded: frames have waited for \d+ ms/);
    return await show();
  };
  const refuses = async (wanted: RegExp, ...change: Parameters<typeof write>) => {
    await write(...change);
    host.kill("SIGHUP");
    match(await host.stderrLine(/goes on as before: /), wanted);
  };
  const now = await does([...ports, "ring:b"], { burst: 8, mtu: 1400 });
  deepEqual([now.burst, now.mtu, now.regions[0].guests[0].ports.length], [8, 1400, 3]);
  const mirror = [`${tap}=tap:${span}`];
  await does(ports, { mirror, wipe: true, "debug-pool": true }, "mbufs = 1024\nring-size = 256");
  ok(await lab.link(span), "the mirror is there");
  const { stdout } = await ctl(lab, lab.region, `/mempool/info,${lab.region}`);
  equal(JSON.parse(stdout).size, 1024);
  const ring = await ctl(lab, lab.region, `/ring/info,${lab.region}/g0.p0.rx`);
  match(ring.stdout, /: ?256\b/);
  await does(ports);
  equal(await lab.link(span), undefined);
  await Deno.writeTextFile(file, '[[region]]\nports = ["null:0"');
  host.kill("SIGHUP");
  match(await host.stderrLine(/goes on as before: /), /Cannot use .*\.toml/);
  const others: [string, Record<string, unknown>, string?][] = [
    ["its cores", { cores: "0,1" }],
    ["its user or group", { user: "nobody" }],
    ["its regions or their size", {}, 'size = "128M"'],
    ["may-add", { "may-add": "eth*" }],
    ["control", { control: "other" }],
  ];
  for (const [what, rest, region] of others) {
    const wanted = new RegExp(`Cannot change ${what} while the host runs: start it anew`);
    await refuses(wanted, ports, rest, region);
  }
  await refuses(/Cannot put 1000000 mbufs .* use --mbufs \d+/, ports, {}, "mbufs = 1000000");
  await Deno.remove(file);
  await lab.run("mkfifo", file); // nobody writes into it
  match((await ctl(lab, lab.region, "reload")).stderr, /Cannot read .* as it is no regular file/);
  match((await lab.culvert("host", ["--config", file]).ended()).stderr, /it is no regular file/);
  await Deno.remove(file);
  await write(ports, { log: "text" });
  match((await ctl(lab, lab.region, "reload")).stdout, /^done/);
  equal((await host.stop("SIGTERM")).code, 0);
  await Deno.remove(file);
});

Deno.test("DPDK's own telemetry client reads a host's ports, rings and mempools", async () => {
  await using lab = await Lab.open();
  const host = await startHost(lab, ["--port", "null:64", "--port", "null:0"]);
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  using client = new Client(lab.region);
  await until(() => (client.ask("/ethdev/stats,1") as { opackets: number }).opackets > 0);
  const { region } = lab;
  const questions = ["/", "/info", "/ethdev/list", "/ethdev/stats,1", "/ethdev/xstats,0"]
    .concat(["/ethdev/link_status,0", `/ring/info,${region}/g0.p0.rx`, `/mempool/info,${region}`]);
  const { stdout } = await lab.run(
    ...["env", "RUNTIME_DIRECTORY=/run/culvert", "sh", "-c"],
    `printf '%s\\n' ${questions.join(" ")} | dpdk-telemetry.py -f ${region}`,
  );
  const answers = Object.assign({}, ...stdout.trim().split("\n").map((line) => JSON.parse(line)));
  deepEqual(answers["/ethdev/list"], [0, 1]);
  ok(answers["/"].includes("/ethdev/stats"));
  ok(answers["/ethdev/stats"].opackets > 0);
  equal(answers["/ethdev/link_status"].status, "UP");
  equal(answers["/ring/info"].name, "g0.p0.rx");
  equal(answers["/mempool/info"].name, region);
  await guest.stop();
  await lab.stopHost(host);
});

Deno.test("A port that is added leaves functions what they have saved", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const tap = lab.name("t");
  await startHost(lab, [...packetPorts(pair.a, pair.b), "--may-add", `${tap}*`]);
  const folder = Deno.makeTempDirSync({ dir: ".cache", prefix: "saving" });
  await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder, { recursive: true }) };
  await Deno.writeTextFile(`${folder}/saving.ts`, SAVING);
  const guest = await lab.startGuest(["--function", `${folder}/saving.ts`, "-T", "0"]);
  await guest.stderrLine(/set up for 2 ports$/);
  equal((await ctl(lab, lab.region, "port", "add", `tap:${tap}`)).code, 0);
  await guest.stderrLine(/set up for 3 ports, after 1 time$/);
});

/** A function that tells how often it was set up before. */
const SAVING = `
  let context, times = 0;
  const tell = (after) => context.log(\`set up for \${context.ports.length} ports\${after}\`);
  export function setup(given) {
    context = given;
    times = 0;
    tell("");
    return () => {};
  }
  export const save = () => times + 1;
  export function restore(saved) {
    times = saved;
    tell(\`, after \${times} time\`);
  }
`;
