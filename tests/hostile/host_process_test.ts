/**
 * What hostile guests leave behind for those who come after them: hosts and guests, as processes.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { MappedMemory } from "../../ffi/mapped_memory.ts";
import { openRegion } from "../../app/ivshmem/region_source.ts";
import { GUEST_STATE } from "../../app/channel/guest_state.ts";
import { stateOf } from "../../app/channel/state_word.ts";
import { GUEST, ZONE_KIND, ZONES_BYTES } from "../../app/memory/layout.ts";
import { Region } from "../../app/memory/region.ts";
import { account, assertBalanced, Lab, testFrame, waitUntil } from "../system/lab.ts";

/** Where the mbufs of a region lie that its host has published. */
function mbufsOf(memory: MappedMemory): Uint8Array {
  const { offset, size } = Region.attach(memory, "r").zone("mbufs", ZONE_KIND.MBUFS);
  return memory.u8.subarray(offset, offset + size);
}

/** Whether `bytes` are anywhere in there. */
function contains(there: Uint8Array, bytes: Uint8Array): boolean {
  for (let at = there.indexOf(bytes[0]); at >= 0; at = there.indexOf(bytes[0], at + 1)) {
    if (bytes.every((byte, i) => there[at + i] === byte)) return true;
  }
  return false;
}

Deno.test("A region whose header and directory a guest has spoiled is taken up by the next host", async () => {
  await using lab = await Lab.open();
  const port = ["--port", "null:0"];
  const first = lab.host(port);
  await first.stderrLine(/is ready/);
  const spoiler = openRegion(lab.region)!;
  spoiler.memory.u32.fill(0xdeadbeef, 0, ZONES_BYTES / 4);
  first.kill("SIGKILL");
  await first.ended();
  const second = lab.host(port);
  await second.stderrLine(/is ready/);
  const guest = lab.guest();
  await guest.stderrLine(/forwarding/);
  spoiler.memory.u32.fill(0xdeadbeef, 0, ZONES_BYTES / 4);
  spoiler.close();
  assertBalanced(account((await second.stop()).stdout));
  await guest.stop();
  await lab.nothingLeft();
});

for (const wipe of [true, false]) {
  Deno.test(`${wipe ? "With" : "Without"} --wipe frames of a guest that has gone ${wipe ? "are in no mbuf" : "stay"}`, async () => {
    await using lab = await Lab.open();
    const pair = await lab.namespacePair({ quiet: true });
    const { host, guest, wires } = await lab.forwarding(pair, { host: wipe ? ["--wipe"] : [] });
    const frame = testFrame(300, { seed: 9 });
    await wires.a.send(frame, 100);
    await wires.b.arrived((found) => found === frame, 100);
    const region = openRegion(lab.region)!;
    const secret = Uint8Array.from(frame.match(/../g)!.slice(20, 120), (hex) => parseInt(hex, 16));
    assert(contains(mbufsOf(region.memory), secret), "the frame was never there");
    await guest.stop();
    const state = Region.attach(region.memory, "r").zone("g0", ZONE_KIND.GUEST).offset / 4;
    const isAbsent = () => stateOf(region.memory.load(state + GUEST.STATE)) === GUEST_STATE.ABSENT;
    assert(await waitUntil(isAbsent));
    assert.equal(contains(mbufsOf(region.memory), secret), !wipe);
    region.close();
    const next = lab.guest(["--no-mac-updating", "-T", "0"]);
    await next.stderrLine(/forwarding/);
    await wires.b.send(frame, 100);
    await wires.a.arrived((found) => found === frame, 100);
    await next.stop();
    assertBalanced(account((await host.stop()).stdout));
  });
}

Deno.test("A guest that lies is put in quarantine, for as long as that host lives, and no longer", async () => {
  await using lab = await Lab.open();
  const first = lab.host(["--port", "null"]);
  await first.stderrLine(/is ready/);
  const program = new URL("./besieger_process.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", program, lab.region, "1", "0", "7", "--mode", "lie"];
  const liar = lab.start(Deno.execPath(), ...args);
  await liar.stderrLine(/ready/);
  await liar.write("go");
  await first.stderrLine(/^culvert host: guest 0 is in quarantine until the host .*: \d+ handles/m);
  liar.kill("SIGKILL");
  await liar.ended();
  const guest = lab.guest();
  await guest.stderrLine(/waiting for the host: .* as guest 0 is in quarantine/);
  const { stdout, stderr } = await first.stop();
  assertBalanced(account(stdout));
  assert.match(stdout, /^ {2}violations by guest 0 \(in quarantine\): \d+ handles/m);
  assert.equal(stderr.match(/ in quarantine /g)?.length, 1);
  const second = lab.host(["--port", "null"]);
  await guest.stderrLine(/forwarding/);
  await guest.stop();
  assertBalanced(account((await second.stop()).stdout));
});

/** Milliseconds of processor time that a process has used. */
function cpuOf(pid: number): number {
  const fields = Deno.readTextFileSync(`/proc/${pid}/stat`).split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

Deno.test("A storm of doorbells costs an idle host little, and keeps no frame from its guest", async () => {
  await using lab = await Lab.open();
  const pair = await lab.namespacePair({ quiet: true });
  const { host, guest, wires } = await lab.forwarding(pair, {});
  const program = new URL("./ringer_process.ts", import.meta.url).pathname;
  const before = cpuOf(host.pid);
  const args = ["run", "-A", "--no-check", program, lab.region, "2"];
  const ringer = lab.start(Deno.execPath(), ...args);
  const { stdout } = await ringer.ended();
  const spent = cpuOf(host.pid) - before;
  const again = lab.start(Deno.execPath(), ...args);
  await lab.flows(wires);
  await again.ended();
  await guest.stop();
  const summary = (await host.stop()).stdout;
  assertBalanced(account(summary));
  const alarms = Number(/also (\d+) doorbells that woke us for nothing/.exec(summary)?.[1] ?? 0);
  console.log(
    `  ${stdout.trim()} rings in 2 s: ${alarms} false alarms, ${spent} ms of processor time`,
  );
  assert(Number(stdout) > 20_000, stdout);
  assert(alarms >= 64 && alarms < Number(stdout) / 4, summary);
  assert(spent < 1000, `${spent} ms in 2 s`);
});

Deno.test("culvert host refuses --wipe where guests share a region", async () => {
  await using lab = await Lab.open();
  const args = ["--wipe", "--port", "null", "--guest", "1", "--port", "null"];
  const { code, stderr } = await lab.host(args).ended();
  assert.match(stderr, /^culvert: Cannot use --wipe with region .* as it has 2 guests: /m);
  assert.equal(code, 2);
});
