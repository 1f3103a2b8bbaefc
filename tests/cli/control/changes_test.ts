import { deepEqual, throws } from "node:assert/strict";
import { reloaded, withoutPort, withPort, withSetting } from "../../../app/cli/control/changes.ts";
import { controlPath } from "../../../app/cli/control/control_path.ts";
import { hostOptions } from "../../../app/cli/host_command.ts";
import { HOST } from "../../../app/cli/tables/host.ts";
import { parsed } from "../tables.ts";

/** The options of a command line. */
function optionsOf(line: string) {
  return hostOptions(parsed(HOST, line.split(" ")));
}

const BEFORE = "--region a --port tap:t0 --port null --region b --guest 3 --port packet:e0,visible";

Deno.test("withPort() gives what the longer command line gives", () => {
  const before = optionsOf(BEFORE);
  deepEqual(
    withPort(before, "tap:t1", {}),
    optionsOf(BEFORE.replace("null", "null --port tap:t1")),
  );
  deepEqual(
    withPort(before, "packet:e1,visible", { region: "b", guest: 3 }),
    optionsOf(`${BEFORE} --port packet:e1,visible`),
  );
  deepEqual(
    withPort(before, "ring:r", { region: "b", guest: 7 }),
    optionsOf(`${BEFORE} --guest 7 --port ring:r`),
  );
});

Deno.test("withoutPort() undoes withPort(), and takes an empty guest along", () => {
  const before = optionsOf(BEFORE);
  for (const [port, place] of [["tap:t1", {}], ["ring:r", { region: "b", guest: 7 }]] as const) {
    deepEqual(withoutPort(withPort(before, port, place), port), before);
  }
});

Deno.test("withoutPort() deletes the named guest's port, and no other of that name", () => {
  const line = "--region a --port null --port tap:t0 --guest 1 --port null --port ring " +
    "--region b --port ring:r --port null";
  const before = optionsOf(`${line} --mirror tap:t0=tap:m0`);
  const portsOf = (place: Parameters<typeof withPort>[2]) =>
    withoutPort(before, "null", place).regions
      .map(({ guests }) =>
        guests.map(({ ports }) => ports.map(({ kind }) => kind).join()).join(" ")
      );
  deepEqual(portsOf({}), ["tap ring", "ring"]);
  deepEqual(portsOf({ guest: 0 }), ["tap null,ring", "ring"]);
  deepEqual(portsOf({ region: "a" }), ["tap ring", "ring,null"]);
  deepEqual(portsOf({ region: "a", guest: 1 }), ["null,tap ring", "ring,null"]);
  const refuses = (place: Parameters<typeof withPort>[2], message: string) =>
    throws(() => withoutPort(before, "tap:t0", place), { name: "CulvertError", message });
  const none = "as there is none: there";
  refuses({ guest: 1 }, `Cannot delete port tap:t0 of guest 1 ${none} are null, ring`);
  refuses({ region: "b" }, `Cannot delete port tap:t0 in region b ${none} are ring:r, null`);
  refuses(
    { region: "b", guest: 7 },
    `Cannot delete port tap:t0 of guest 7 in region b ${none} is no such guest`,
  );
  refuses({ region: "c" }, "Cannot find region c: the host has a, b");
});

Deno.test("a change that no command line could give is refused", () => {
  const before = optionsOf(BEFORE);
  throws(() => withPort(before, "tap:t0", {}), /Cannot use port tap:t0 twice/);
  throws(() => withPort(before, "link:l", {}), /named once: a link has two ends/);
  throws(() => withPort(before, "tap:t1", { region: "c" }), /Cannot find region c: .* a, b/);
  throws(() => withPort(before, "tab:t1", {}), /no kind of port/);
  throws(() => withPort(before, "tap:t1,queues=2", {}), /takes a core, and the host has 1: /);
  for (const guest of [127, -1, 1.5, 1e9, "0"] as number[]) {
    throws(() => withPort(before, "tap:t1", { guest }), /as it is no whole number from 0 to 126/);
  }
  throws(() => withoutPort(before, "tap:t9"), /there is none: there are tap:t0, null, packet:e0,v/);
  throws(() => withoutPort(before, "packet:e0,visible"), /Cannot use region b without ports/);
});

Deno.test("withSetting() reads values as the command line does", () => {
  const before = optionsOf(BEFORE);
  deepEqual(withSetting(before, "idle", "poll"), { ...before, idle: "poll" });
  deepEqual(withSetting(before, "stats-period", "5"), { ...before, statsPeriod: 5 });
  deepEqual(withSetting(before, "hold-max", "77"), { ...before, holdMax: 77 });
  throws(() => withSetting(before, "idle", "doze"), /none of poll, adaptive or sleep/);
  throws(() => withSetting(before, "mtu", "9000"), /Cannot set mtu while the host runs: idle, /);
});

Deno.test("reloaded() refuses other regions, memory and cores", () => {
  const before = optionsOf(`-l 0 ${BEFORE}`);
  const wanted = optionsOf(`-l 0 --burst 8 ${BEFORE} --port null`);
  deepEqual(reloaded(before, wanted), wanted);
  const others = [
    `-l 0 ${BEFORE} --region c --port null`,
    `-l 0 --size 1G ${BEFORE}`,
    `-l 0,1 ${BEFORE}`,
    `-l 0 --user nobody ${BEFORE}`,
  ];
  for (const line of others) {
    throws(() => reloaded(before, optionsOf(line)), /Cannot change its .* start it anew/, line);
  }
});

Deno.test("controlPath() takes names, no paths", () => {
  deepEqual(controlPath("edge.1"), "/run/culvert/dpdk/edge.1/dpdk_telemetry.v2");
  for (const name of ["", "..", ".", "a/b", "a b", "x".repeat(49)]) {
    throws(() => controlPath(name), /is no name/);
  }
});

Deno.test("a port that is mirrored stays, and so does what it is mirrored to", () => {
  const before = optionsOf(`${BEFORE} --mirror tap:t0=tap:m0`);
  throws(() => withoutPort(before, "tap:t0"), /Cannot change port tap:t0, or add tap:m0/);
  throws(() => withPort(before, "tap:m0", {}), /Cannot change port tap:t0, or add tap:m0/);
  deepEqual(withPort(before, "tap:t1", {}).mirrors, before.mirrors);
});
