import { deepEqual, equal } from "node:assert/strict";
import { LogWriter } from "../../app/linux/log.ts";
import { Output } from "../../app/linux/output.ts";

/** A log at one moment, and what it has written; `fails` says how many writes fail first. */
function fakeLog(fails = 0) {
  const written: string[] = [];
  const output = new Output({
    write(bytes) {
      if (fails-- > 0) return Promise.reject(new Error("No space left on device"));
      written.push(new TextDecoder().decode(bytes));
      return Promise.resolve(bytes.length);
    },
  });
  const log = new LogWriter(output, () => new Date("2026-11-30T05:26:42.123Z"));
  const lines = async () => {
    await output.flush();
    return written.join("").split("\n").slice(0, -1);
  };
  return { log, lines };
}

Deno.test("LogWriter writes lines as they are, with time and level, or as JSON", async () => {
  const { log, lines } = fakeLog();
  log.line("culvert host", "ready");
  log.configure({ format: "time" });
  log.line("culvert host", "port eth1 is down", { level: "warning" });
  log.line("culvert host", "goes on as before: Cannot use a.toml\na.toml:1:2 is no TOML");
  log.configure({ format: "json" });
  log.line("culvert host", 'guest "0"\nattached', { cause: "guest 0" });
  deepEqual(await lines(), [
    "culvert host: ready",
    "2026-11-30T05:26:42.123Z WARNING culvert host: port eth1 is down",
    "2026-11-30T05:26:42.123Z INFO culvert host: goes on as before: Cannot use a.toml",
    "2026-11-30T05:26:42.123Z INFO culvert host: a.toml:1:2 is no TOML",
    '{"time":"2026-11-30T05:26:42.123Z","level":"info","program":"culvert host",' +
    '"message":"guest \\"0\\"\\nattached","cause":"guest 0"}',
  ]);
});

Deno.test("LogWriter writes lines of its level and more important ones", async () => {
  const { log, lines } = fakeLog();
  const all = () => {
    for (const level of ["error", "warning", "info", "debug"] as const) {
      log.line("c", level, { level });
    }
  };
  all();
  log.configure({ level: "warning" });
  all();
  log.configure({ level: "debug" });
  log.line("c", "last", { level: "debug" });
  deepEqual(await lines(), [
    "c: error",
    "c: warning",
    "c: info",
    "c: error",
    "c: warning",
    "c: last",
  ]);
});

Deno.test("LogWriter tells the journal priorities, of each line of a text", async () => {
  const { log, lines } = fakeLog();
  log.configure({ hasPriorities: true, level: "debug" });
  log.line("c", "a\nb", { level: "error" });
  log.line("c", "w", { level: "warning" });
  log.line("c", "i");
  log.line("c", "d", { level: "debug" });
  log.configure({ format: "json" });
  log.line("c", "a\nb");
  equal((await lines()).at(-1), `<6>${log.text("c", "a\nb").slice(3)}`, "one line");
  deepEqual((await lines()).slice(0, -1), ["<3>c: a", "<3>b", "<4>c: w", "<6>c: i", "<7>c: d"]);
});

Deno.test("LogWriter tells in its own format how many lines a full disk has cost", async () => {
  const { log, lines } = fakeLog(2);
  log.configure({ format: "json" });
  for (const text of ["one", "two", "three"]) {
    log.line("culvert host", text);
    await lines();
  }
  const [lost, three] = (await lines()).map((line) => JSON.parse(line));
  deepEqual([lost.level, lost.message], ["warning", "... 2 lines could not be written"]);
  equal(three.message, "three");
});
