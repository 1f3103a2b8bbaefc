/**
 * `culvert metrics`, scraped by a real Prometheus, looked at by a real browser, exported by OTLP.
 *
 * @module
 */
import assert from "node:assert/strict";
import { startPrometheus } from "../kit/prometheus.ts";
import { Lab, packetPorts, type Running, testFrame, until, waitUntil } from "../kit/lab.ts";

/** Start it, for these regions, at a port that is free; returns where it listens. */
async function startMetrics(lab: Lab, regions: string[], env: string[] = []) {
  const under = env.length > 0 ? ["env", ...env] : [];
  const program = lab.culvert("metrics", [...regions, "--listen", "127.0.0.1:0"], { under });
  const line = await program.stderrLine(/metrics at http:\S+/);
  return { program, base: /(http:\/\/\S+)\/metrics/.exec(line)![1] };
}

async function get(url: string): Promise<string> {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return await response.text();
}

/** The sum of a metric's values whose labels contain `labels`; undefined if it has none. */
function valueOf(text: string, name: string, labels = ""): number | undefined {
  const values = text.split("\n").filter((line) =>
    line.startsWith(`${name}{`) && line.includes(labels)
  ).map((line) => Number(line.split(" ").at(-1)));
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value);
}

async function promtool(text: string): Promise<void> {
  const child = new Deno.Command("promtool", {
    args: ["check", "metrics"],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await writer.close();
  const { code, stdout, stderr } = await child.output();
  const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.deepEqual([code, said], [0, ""]);
}

Deno.test("culvert metrics satisfies promtool and is scraped by Prometheus, across two hosts", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { program, base } = await startMetrics(lab, [lab.region]);
  const prometheus = await startPrometheus(lab, base.slice("http://".length));
  try {
    const wires = await lab.wires(pair);
    let host: Running | undefined = await lab.startHost(packetPorts(pair.a, pair.b));
    const received = (text: string) => valueOf(text, "culvert_port_received_frames_total");
    await wires.a.send(testFrame(100), 50);
    let text = "";
    await waitUntil(async () => received(text = await get(`${base}/metrics`)) === 50);
    assert.equal(received(text), 50, text);
    assert.equal(valueOf(text, "culvert_port_dropped_frames_total", 'reason="no_guest"'), 50);
    assert.equal(valueOf(text, "culvert_host_up"), 1);
    assert.equal(valueOf(text, "culvert_guest_up"), 0);
    await promtool(text);
    await until(
      async () =>
        (await prometheus.query("sum(culvert_port_received_frames_total)"))[0]?.value === 50,
      "Prometheus has the frames",
    );
    const [up] = await prometheus.query('up{job="culvert"}');
    assert.equal(up.value, 1);

    host.kill("SIGKILL");
    await host.ended();
    await until(
      async () => valueOf(await get(`${base}/metrics`), "culvert_host_up") === 0,
      "the host's death is told",
    );
    host = await lab.startHost(packetPorts(pair.a, pair.b));
    await wires.a.send(testFrame(100), 7);
    await until(
      async () => received(await get(`${base}/metrics`)) === 57,
      "counters go on at the next host",
    );
    await until(
      async () =>
        (await prometheus.query("sum(culvert_port_received_frames_total)"))[0]?.value === 57,
      "Prometheus sees them go on",
    );
    const resets = await prometheus.query("sum(resets(culvert_port_received_frames_total[1m]))");
    assert.equal(resets[0].value, 0);
    await lab.finishHost(host);
    await until(
      async () => valueOf(await get(`${base}/metrics`), "culvert_host_up") === undefined,
      "a region that is gone is not told of",
    );
  } finally {
    await prometheus.stop();
  }
  const { code, stderr } = await program.stop();
  assert.equal(code, 0, stderr);
  assert.equal(stderr.trim().split("\n").length, 1, stderr);
});

Deno.test("culvert metrics counts frames once, however often their host changes", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const wires = await lab.wires(pair);
  const { program, base } = await startMetrics(lab, [lab.region]);
  const host = await lab.startHost([...packetPorts(pair.a, pair.b), "--control", lab.region]);
  const counted = async () => {
    const text = await get(`${base}/metrics`);
    const names = ["port_received_frames_total", "port_dropped_frames_total", "host_epoch"];
    return names.map((name) => valueOf(text, `culvert_${name}`));
  };
  await wires.a.send(testFrame(100), 50);
  await until(async () => (await counted())[0] === 50, "they are counted");
  const [, , before] = await counted();
  for (const verb of ["add", "del", "add"]) {
    const { code, stderr } = await lab.culvert("ctl", [lab.region, "port", verb, "null:0"]).ended();
    assert.equal(code, 0, stderr);
  }
  await until(async () => (await counted())[2] === before! + 6, "the last host was looked at");
  assert.deepEqual((await counted()).slice(0, 2), [50, 50]);
  await wires.a.send(testFrame(100), 7);
  await until(async () => (await counted())[0] === 57, "counters go on");
  await lab.finishHost(host);
  await program.stop();
});

Deno.test("culvert metrics shows plots in a browser, light and dark", async () => {
  await using lab = await Lab.open();
  const host = await lab.startHost(["--port", "null:64", "--port", "ring:<b>", "-l", "0"]);
  const guest = await lab.startGuest(["-T", "0"]);
  const { program, base } = await startMetrics(lab, [lab.region]);
  await until(async () => {
    const { times } = JSON.parse(await get(`${base}/history.json`));
    return times.length > 3;
  }, "there is something to plot");
  const folder = await Deno.makeTempDir({ prefix: "culvert-browser-" });
  try {
    const browse = async (...args: string[]) => {
      const { code, stdout, stderr } = await lab.start(
        "chromium",
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        `--user-data-dir=${folder}/profile`,
        "--window-size=1300,1200",
        "--virtual-time-budget=3000",
        ...args,
        `${base}/`,
      ).ended(60_000);
      assert.equal(code, 0, stderr);
      assert.doesNotMatch(stderr, /Refused|Uncaught/);
      return stdout;
    };
    const page = await browse("--dump-dom", "--enable-logging=stderr", "--v=0");
    assert.match(page, /<p id="state" class="">1 region<\/p>/);
    assert.match(page, new RegExp(`Region ${lab.region}</h2>`));
    assert.match(page, /host READY<\/span>/);
    assert.match(page, /guest g0 RUNNING<\/span>/);
    assert.match(page, /g0 ring:&lt;b&gt;/);
    for (const title of ["Frames", "Bits", "Drops", "Busy share", "Mbufs in use"]) {
      assert.match(page, new RegExp(`<h2>${title}`));
    }
    assert.equal(page.match(/<canvas/g)?.length, 5);
    const shots = [];
    for (const scheme of [1, 0]) { // light, dark
      const shot = `${folder}/shot${scheme}.png`;
      await browse(`--screenshot=${shot}`, `--blink-settings=preferredColorScheme=${scheme}`);
      shots.push(await Deno.readFile(shot));
    }
    assert(shots.every((shot) => shot.length > 20_000), "something is drawn");
    assert.notDeepEqual(shots[0], shots[1]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  assert.equal((await program.stop()).code, 0);
  await lab.finish({ host, guest });
});

Deno.test("culvert metrics exports over OTLP what it serves to Prometheus", async () => {
  await using lab = await Lab.open();
  const bodies: string[] = [];
  await using receiver = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    async (r) => {
      if (r.url.endsWith("/v1/metrics")) bodies.push(await r.text());
      return Response.json({});
    },
  );
  const host = await lab.startHost(["--port", "ring:a", "--mbufs", "512"]);
  const { program } = await startMetrics(lab, [lab.region], [
    "OTEL_DENO=true",
    "OTEL_EXPORTER_OTLP_PROTOCOL=http/json",
    `OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:${receiver.addr.port}`,
    "OTEL_METRIC_EXPORT_INTERVAL=500",
  ]);
  const find = (name: string) => {
    const { resourceMetrics } = JSON.parse(bodies.at(-1) ?? '{"resourceMetrics":[]}');
    // deno-lint-ignore no-explicit-any
    return resourceMetrics.flatMap((one: any) => one.scopeMetrics).flatMap((one: any) =>
      one.metrics
    )
      .find((metric: { name: string }) => metric.name === name);
  };
  await until(() => find("culvert_mbufs_free") !== undefined, "metrics arrive");
  const [{ asDouble, attributes }] = find("culvert_mbufs_free").gauge.dataPoints;
  assert.equal(asDouble, 512);
  assert.deepEqual(attributes, [{ key: "region", value: { stringValue: lab.region } }]);
  const { isMonotonic, dataPoints } = find("culvert_port_dropped_frames").sum;
  assert.equal(isMonotonic, true);
  assert(JSON.stringify(dataPoints).includes("ring_full"));
  assert.equal((await program.stop()).code, 0);
  await lab.finishHost(host);
});

Deno.test("culvert metrics refuses an address that is none, or is taken", async () => {
  await using lab = await Lab.open();
  const refuses = async (listen: string, status: number, wanted: RegExp) => {
    const { code, stderr } = await lab.culvert("metrics", ["nix", "--listen", listen]).ended();
    assert.equal(code, status, stderr);
    assert.match(stderr, wanted);
  };
  await refuses("9497", 2, /Cannot use --listen 9497 as it is no address with a port/);
  await refuses("127.0.0.1:99999", 2, /Cannot use --listen/);
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  await refuses(`127.0.0.1:${port}`, 1, /Cannot listen at .* EADDRINUSE: see who listens there/);
});
