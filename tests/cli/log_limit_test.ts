import { deepEqual, equal } from "node:assert/strict";
import { limitLog } from "../../app/cli/log_limit.ts";

/** A log whose clock a test turns. */
function fakeLog() {
  const said: string[] = [];
  const waiting: { at: number; work: () => void }[] = [];
  let time = 0;
  const clock = {
    now: () => time,
    later: (work: () => void, milliseconds: number) => {
      waiting.push({ at: time + milliseconds, work });
    },
  };
  const log = limitLog((line) => said.push(line), { clock });
  const pass = (milliseconds: number) => {
    time += milliseconds;
    for (const { at, work } of waiting.splice(0)) {
      if (at <= time) work();
      else waiting.push({ at, work });
    }
  };
  return { said, log, pass, waiting };
}

Deno.test("limitLog() lets a burst of 50 lines through, then 10 a second", () => {
  const { said, log, pass } = fakeLog();
  for (let i = 0; i < 60; i++) log("x");
  equal(said.length, 50);
  pass(1000);
  equal(said.length, 51); // the number of those held back
  for (let i = 0; i < 60; i++) log("x");
  equal(said.filter((line) => line === "x").length, 60);
});

Deno.test("limitLog() says how many lines it held back, once, a second later or before the next", () => {
  const { said, log, pass, waiting } = fakeLog();
  for (let i = 0; i < 1284; i++) log("x");
  equal(waiting.length, 1);
  pass(1000);
  deepEqual(said.slice(50), ["... 1234 lines suppressed"]);
  pass(60_000);
  for (let i = 0; i < 51; i++) log("y");
  pass(100);
  log("z");
  deepEqual(said.slice(-2), ["... 1 line suppressed", "z"]);
  pass(1000);
  equal(said.at(-1), "z");
});

Deno.test("limitLog().flush() says at the end what is still held back", () => {
  const { said, log } = fakeLog();
  for (let i = 0; i < 52; i++) log("x");
  log.flush();
  log.flush();
  deepEqual(said.slice(50), ["... 2 lines suppressed"]);
});

Deno.test("limitLog() lets a rare line through that comes after too many others", () => {
  const { said, log } = fakeLog();
  for (let i = 0; i < 1000; i++) log("guest 0 attached", { cause: "guest 0" });
  log("guest 0 is in quarantine", { cause: "guest 0", isRare: true });
  deepEqual(said.slice(-2), ["... 950 lines of guest 0 suppressed", "guest 0 is in quarantine"]);
  log("guest 0 attached", { cause: "guest 0" });
  equal(said.length, 52);
});

Deno.test("limitLog() lets lines of others through, whatever one guest causes, and says whose it held back", () => {
  const { said, log, pass } = fakeLog();
  const flooding = "guest 1 of region a", other = "guest 1 of region b";
  for (let i = 0; i < 60; i++) {
    log(`${flooding} attached (own pid 7)`, { cause: flooding });
  }
  const others = ["port tap0 is down: its frames are dropped", `${other} attached`];
  log(others[0]);
  log(others[1], { cause: other });
  deepEqual(said.slice(50), others);
  pass(1000);
  deepEqual(said.slice(52), ["... 10 lines of guest 1 of region a suppressed"]);
});

Deno.test("limitLog() limits lines that have no cause, too", () => {
  const { said, log } = fakeLog();
  for (let i = 0; i < 60; i++) log(`port tap${i} is down`);
  equal(said.length, 50);
});
