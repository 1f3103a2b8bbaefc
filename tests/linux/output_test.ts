import { deepEqual, equal, ok } from "node:assert/strict";
import { Output } from "../../app/linux/output.ts";

/** A sink whose writes end as the test says. */
class FakeSink {
  readonly written: string[] = [];
  /** What the next writes do; when there is nothing, they succeed. */
  readonly outcomes: ("full" | Promise<void>)[] = [];

  async write(bytes: Uint8Array): Promise<number> {
    const outcome = this.outcomes.shift();
    if (outcome === "full") throw new Error("No space left on device (os error 28)");
    await outcome;
    this.written.push(new TextDecoder().decode(bytes));
    return bytes.length;
  }
}

Deno.test("Output writes lines in their order", async () => {
  const sink = new FakeSink();
  const output = new Output(sink);
  output.line("one");
  output.line("two\nthree");
  await output.flush();
  equal(sink.written.join(""), "one\ntwo\nthree\n");
  equal(output.isBroken, false);
});

Deno.test("Output counts what a full disk does not take, and says so once there is room", async () => {
  const sink = new FakeSink();
  sink.outcomes.push("full", "full");
  const output = new Output(sink);
  for (const text of ["one", "two", "three"]) {
    output.line(text);
    await output.flush();
    equal(output.isBroken, text !== "three");
  }
  deepEqual(sink.written, ["... 2 lines could not be written\nthree\n"]);
  output.line("four");
  await output.flush();
  equal(sink.written[1], "four\n", "it is said once");
});

Deno.test("Output never waits for a reader that has stopped, keeps 1000 more lines, counts the others", async () => {
  const sink = new FakeSink();
  const { promise, resolve } = Promise.withResolvers<void>();
  sink.outcomes.push(promise);
  const output = new Output(sink);
  for (let i = 0; i < 1500; i++) output.line(`${i}`);
  const start = performance.now();
  await output.flush(20);
  ok(performance.now() - start < 5000);
  deepEqual(sink.written, []);
  resolve();
  await output.flush();
  const lines = sink.written.join("").split("\n");
  equal(lines[0], "0");
  equal(lines[1], "... 499 lines could not be written");
  equal(lines.at(-2), "1000");
});

Deno.test("Output goes on where a write took a part", async () => {
  const written: number[] = [];
  const output = new Output({
    write(bytes) {
      written.push(...bytes.subarray(0, 2));
      return Promise.resolve(Math.min(2, bytes.length));
    },
  });
  output.line("abcde");
  await output.flush();
  equal(new TextDecoder().decode(Uint8Array.from(written)), "abcde\n");
});
