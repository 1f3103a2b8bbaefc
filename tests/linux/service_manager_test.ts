import { deepEqual, equal } from "node:assert/strict";
import { environmentVariable } from "../../app/linux/environment.ts";
import { ServiceManager } from "../../app/linux/service_manager.ts";
import { Watchdog } from "../../app/linux/watchdog.ts";

/** The service manager of an environment. */
function managerOf(variables: Record<string, string>): ServiceManager {
  return new ServiceManager((name) => variables[name]);
}

const PID = String(Deno.pid);

Deno.test("environmentVariable() finds whole names, and what is behind the first =", () => {
  const environment = "AB=1\0B=x=y\0C=\0";
  equal(environmentVariable("B", environment), "x=y");
  equal(environmentVariable("C", environment), "");
  equal(environmentVariable("A", environment), undefined);
});

Deno.test("ServiceManager without a socket hears nothing", () => {
  for (const socket of ["", "relative", "vsock:2:1"]) {
    const manager = managerOf({ NOTIFY_SOCKET: socket, WATCHDOG_USEC: "1000000" });
    deepEqual([manager.listens, manager.tell(["READY=1"]), manager.watchdogMs], [
      false,
      false,
      undefined,
    ]);
  }
});

Deno.test("ServiceManager knows the watchdog's limit, if it is for this process", () => {
  const NOTIFY_SOCKET = "/nowhere/notify";
  const limitOf = (more: Record<string, string>) =>
    managerOf({ NOTIFY_SOCKET, ...more }).watchdogMs;
  equal(limitOf({ WATCHDOG_USEC: "500000" }), 500);
  equal(limitOf({ WATCHDOG_USEC: "500000", WATCHDOG_PID: PID }), 500);
  equal(limitOf({ WATCHDOG_USEC: "500000", WATCHDOG_PID: "1" }), undefined);
  for (const micros of ["", "0", "-1", "x"]) equal(limitOf({ WATCHDOG_USEC: micros }), undefined);
  equal(managerOf({ NOTIFY_SOCKET }).tell(["READY=1"]), false, "nobody is there");
});

Deno.test("ServiceManager names the descriptors that were passed to this process alone", () => {
  const passed = { LISTEN_FDS: "3", LISTEN_FDNAMES: "socket:memory:socket" };
  deepEqual([...managerOf({ ...passed, LISTEN_PID: PID }).inherited], [
    ["socket", 3],
    ["memory", 4],
  ]);
  equal(managerOf({ ...passed, LISTEN_PID: "1" }).inherited.size, 0);
  equal(managerOf(passed).inherited.size, 0);
  deepEqual([...managerOf({ LISTEN_FDS: "1", LISTEN_PID: PID }).inherited], [["unknown", 3]]);
});

Deno.test("Watchdog is fed three times within its limit, and not while nothing moves", () => {
  const told: string[] = [];
  const manager = { watchdogMs: 300, tell: ([line]: string[]) => told.push(line) };
  const watchdog = new Watchdog(manager as unknown as ServiceManager);
  let isWell = true;
  const pass = (from: number, to: number) => {
    told.length = 0;
    for (let now = from; now < to; now += 10) watchdog.feed(now, () => isWell);
    return told.length;
  };
  equal(pass(0, 300), 3);
  isWell = false;
  equal(pass(300, 1000), 0);
  isWell = true;
  equal(pass(1000, 1100), 1);
});

Deno.test("Watchdog is never fed if nobody watches", () => {
  const manager = { tell: () => equal("it was told", "") } as unknown as ServiceManager;
  const watchdog = new Watchdog(manager);
  for (let now = 0; now < 1e6; now += 1000) watchdog.feed(now, () => true);
});
