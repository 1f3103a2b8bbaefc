import assert from "node:assert/strict";
import { Lab, packetPorts, pause, testFrame } from "../kit/lab.ts";

Deno.test("An interface that is down or gone while its host changes is taken up when it is back", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair({ quiet: true });
  const host = await lab.startHost([...packetPorts(a, b), "--control", lab.region]);
  const guest = await lab.startGuest(["--no-mac-updating", "-T", "0"]);
  const isUpAgain = new RegExp(`port ${a.outer} is up again`);
  const ways: [string[], () => Promise<unknown>][] = [
    [["set", a.outer, "down"], () => lab.run("ip", "link", "set", a.outer, "up")],
    [["delete", a.outer], () => lab.remake(a)],
  ];
  for (const [i, [away, comeBack]] of ways.entries()) {
    await lab.run("ip", "link", ...away);
    await host.stderrLine(new RegExp(`port ${a.outer} is down`));
    const change = lab.culvert("ctl", [lab.region, "set", "burst", `${20 + i}`]);
    assert.equal((await change.ended()).code, 0);
    const said = host.stderr.length;
    await pause(600); // for some looks at it
    assert(!isUpAgain.test(host.stderr.slice(said)), "it is down");
    await comeBack();
    await host.stderrLine(isUpAgain);
    // This way alone: a frame that is sent would tell the port that its sockets are dead.
    const [from, to] = [await lab.wire(a.inner, a.netns), await lab.wire(b.inner, b.netns)];
    const frame = testFrame(60 + i);
    await from.send(frame, 20);
    await to.arrived((found) => found === frame, 20);
  }
  await lab.finish({ host, guest });
});

Deno.test("A TAP that is set down is said to be, though no frame is sent to it", async () => {
  await using lab = await Lab.open();
  const tap = lab.name("t");
  const ports = ["--port", `tap:${tap}`, "--port", "null:0"];
  const host = await lab.startHost([...ports, "--control", lab.region]);
  await lab.run("ip", "link", "set", tap, "down");
  await host.stderrLine(new RegExp(`port ${tap} is down`));
  const change = lab.culvert("ctl", [lab.region, "set", "burst", "20"]);
  assert.equal((await change.ended()).code, 0);
  const said = host.stderr.length;
  await pause(600); // for some looks at it
  const isUpAgain = new RegExp(`port ${tap} is up again`);
  assert(!isUpAgain.test(host.stderr.slice(said)), "it is down");
  await lab.run("ip", "link", "set", tap, "up");
  await host.stderrLine(isUpAgain);
  await lab.finishHost(host);
});
