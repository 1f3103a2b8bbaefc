import { deepEqual, equal, match } from "node:assert/strict";
import type { FunctionSpec } from "../../app/guest/function/load.ts";
import { FunctionSwapper } from "../../app/guest/function_swapper.ts";
import type { Guest } from "../../app/guest/guest.ts";
import type { GuestOptions } from "../../app/guest/guest_options.ts";
import type { LoadedVersion } from "../../app/guest/lcore_run.ts";
import { PUSH_STATE } from "../../app/memory/layout.ts";
import { Random } from "../kit/random.ts";
import { until } from "../kit/wait.ts";

const LCORE = new URL("../../app/guest/lcore_worker.ts", import.meta.url);

/** A swapper of a guest that takes what has passed its trial, and what comes of each push. */
function newSwapper(functions: readonly FunctionSpec[] = [{ named: "io", set: {} }]) {
  const versions: LoadedVersion[] = [];
  const log: string[] = [];
  const guest = {
    swap(version: LoadedVersion) {
      versions.push(version);
      for (const thread of version.threads) thread.close();
      return Promise.resolve({ lost: 0, pauseMs: 1 });
    },
  } as unknown as Guest;
  const options = { functions, cores: [0] } as unknown as GuestOptions;
  const swapper = new FunctionSwapper(guest, LCORE, options, (line) => log.push(line));
  const take = (bytes: Uint8Array<ArrayBuffer> | undefined, hash: Uint8Array) => {
    const answers: [number, string][] = [];
    swapper.take({ text: { sequence: 1, bytes, hash }, answer: (...said) => answers.push(said) });
    return answers;
  };
  const push = async (bytes: Uint8Array<ArrayBuffer> | undefined, hash?: Uint8Array) => {
    const right = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes ?? new Uint8Array()));
    const answers = take(bytes, hash ?? right);
    await until(() => answers.length > 0, "the push is answered");
    return answers[0];
  };
  return { take, push, versions, log };
}

/** What `culvert push` makes of a module. */
function pushed(fields: Record<string, unknown>): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify({ name: "my.js", position: 0, ...fields }));
}

Deno.test("FunctionSwapper lets what was pushed take over, and keeps it when another is pushed", async () => {
  const set = { "mac-updating": "false" };
  const chain: FunctionSpec[] = [{ named: "io", set: {} }, { named: "l2fwd", set }];
  const { push, versions, log } = newSwapper(chain);
  const text = "export default () => {};";
  const [state, said] = await push(pushed({ name: "io.js", text }));
  equal(state, PUSH_STATE.DONE);
  match(said, /^swapped io\.js in \d+ ms, 0 frames lost, forwarding paused for 1 ms$/);
  await push(pushed({ name: "nat.js", text, position: 1 }));
  deepEqual(versions.map(({ functions: { handles } }) => handles.map(({ name }) => name)), [
    ["io.js", "l2fwd"],
    ["nat.js", "l2fwd"],
  ]);
  deepEqual(versions[1].functions.handles[1].options, { "mac-updating": false });
  equal(log.length, 2);
});

Deno.test("FunctionSwapper refuses what is not whole, no function, or fails its trial", async () => {
  const { push, versions } = newSwapper();
  const good = pushed({ text: "export default () => {};" });
  const refused = async (told: RegExp, ...what: Parameters<typeof push>) => {
    const [state, said] = await push(...what);
    equal(state, PUSH_STATE.REFUSED);
    match(said, told);
  };
  await refused(/its hash is another: push again$/, good, new Uint8Array(32));
  await refused(/its hash is another: push again$/, undefined);
  await refused(/it is no function: use culvert push/, pushed({ text: 7 }));
  await refused(/Cannot load function my\.js as /, pushed({ text: "export {" }));
  await refused(/it exports nothing/, pushed({ text: "" }));
  await refused(
    /no such rule at /,
    pushed({ text: 'export default () => { throw Error("no such rule"); }' }),
  );
  await refused(
    /^function my\.js has not returned for 2 s in its trial; its thread keeps a core busy until /,
    pushed({ text: "export default () => { for (;;) {} };" }),
  );
  for (const end of ["Deno.exit()", "close()", "self.close()", "process.exit()"]) {
    const text = `export default () => { ${end}; };`;
    await refused(
      /it has thrown: a function cannot end its guest: throw, and use/,
      pushed({ text }),
    );
  }
  const late = "export default () => { Promise.reject(Error('late')); };";
  await refused(/A promise or timer of the function has failed: late/, pushed({ text: late }));
  equal(versions.length, 0);
});

Deno.test("FunctionSwapper names a file that does not return from its trial as logs do", async () => {
  const folder = Deno.makeTempDirSync({ dir: "/tmp" });
  try {
    const named = `${folder}/endless.ts`;
    Deno.writeTextFileSync(named, "export default () => { for (;;) {} };");
    const chain: FunctionSpec[] = [{ named: "io", set: {} }, { named, set: {} }];
    const { push } = newSwapper(chain);
    const [, said] = await push(pushed({ name: "io.js", text: "export default () => {};" }));
    match(said, /^function endless\.ts has not returned for 2 s in its trial; /);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

Deno.test("FunctionSwapper answers garbage whose hash is right, and goes on", async () => {
  const { push, versions } = newSwapper();
  const random = new Random(7);
  for (let round = 0; round < 50; round++) {
    const bytes = Uint8Array.from({ length: random.below(300) }, () => random.below(256));
    const [state, said] = await push(bytes);
    equal(state, PUSH_STATE.REFUSED);
    match(said, /it is no function/);
  }
  equal((await push(pushed({ text: "export default () => {};" })))[0], PUSH_STATE.DONE);
  equal(versions.length, 1);
});

Deno.test("FunctionSwapper lets one push wait, the last, and refuses those before it", async () => {
  const { take, versions } = newSwapper();
  const bytes = pushed({ text: "export default () => {};" });
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const first = take(bytes, hash);
  await new Promise((resolve) => setTimeout(resolve)); // its turn has come
  const others = Array.from({ length: 9 }, () => take(bytes, hash));
  const last = others.pop()!;
  for (const answers of others) {
    deepEqual(answers, [[
      PUSH_STATE.REFUSED,
      "Cannot take what was pushed as another was pushed before its turn came: push again",
    ]]);
  }
  await until(() => last.length > 0, "the last push is answered");
  deepEqual([first[0][0], last[0][0]], [PUSH_STATE.DONE, PUSH_STATE.DONE]);
  deepEqual([first.length, last.length, versions.length], [1, 1, 2]);
});
