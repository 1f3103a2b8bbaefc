import { throws } from "node:assert/strict";
import type { FunctionModule } from "../../app/guest/function/function_module.ts";
import { tryOut } from "../../app/guest/trial/try_out.ts";

const PORTS = 3;

function tried(module: FunctionModule): () => void {
  return () => tryOut([{ handle: { name: "mine.ts", options: {} }, module }], PORTS);
}

Deno.test("tryOut() gives a function frames to read, drop, change, send and copy", () => {
  let frames = 0;
  tried({
    setup: ({ counter }) => (burst) => {
      frames += burst.count;
      counter("seen").add(burst.count);
      for (let i = 0; i < 3; i++) burst.drop(i);
      burst.sendTo(3, 2);
      burst.prepend(4, 4);
      burst.add(1);
    },
  })();
  if (frames === 0) throw new Error("it saw no frames");
});

Deno.test("tryOut() refuses what setup() returns if that is no function", () => {
  throws(tried({ setup: () => 5 } as never), {
    name: "CulvertError",
    message: "its setup() has returned a number: return a function (burst) => {}, or nothing",
  });
});

Deno.test("tryOut() tells what a function throws, and where", () => {
  throws(tried({ default: (burst) => burst.u16(0, 2000) }), {
    name: "CulvertError",
    message: /^it has thrown: Cannot use 2 bytes at offset 2000 .*\/try_out_test\.ts:/,
  });
  throws(tried({ default: (burst) => burst.sendTo(0, 7) }), {
    message: /Cannot send a frame by port 7: the ports are 0, 1, 2/,
  });
  throws(
    tried({
      setup() {
        throw new Error("no rules");
      },
    }),
    { message: /^its setup\(\) has thrown: no rules/ },
  );
  throws(
    tried({
      setup({ every }) {
        every(150, () => {
          throw new Error("no such timer");
        });
      },
    }),
    { message: /^it has thrown: no such timer at .*\/try_out_test\.ts:/ },
  );
});
