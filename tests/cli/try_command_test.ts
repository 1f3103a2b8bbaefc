import { deepEqual, equal, match, rejects } from "node:assert/strict";
import { frame } from "../../app/testing.ts";
import { interfaceBlock, packetBlock, pcapFile, sectionBlock } from "../capture/capture_files.ts";
import { inFolder } from "./tried_files.ts";

const TIME = 1_700_000_000_000_000_000n;
const MILLISECOND = 1_000_000n;

/** A frame of each kind, a millisecond apart, the last but one cut short by the capture. */
const FRAMES = [frame.udp(), frame.arp(), frame.tcp(), frame.icmpEcho(), frame.ethernet()];
const CAPTURE = pcapFile(
  true,
  true,
  FRAMES.map((bytes, i) => ({
    time: TIME + BigInt(i) * MILLISECOND,
    bytes: i === 3 ? bytes.slice(0, 60) : bytes,
    wireBytes: bytes.length,
  })),
);

Deno.test("culvert try tells of each frame and of all, and writes what is sent with its times", async () => {
  await inFolder(CAPTURE, async ({ run, lines, said, read, folder }) => {
    equal(await run("my.ts", "in.pcap", "out.pcapng", "-v", "--set", "ttl=63"), 1);
    deepEqual(lines, [
      "frame 1, 60 bytes by port 0: sent by port 1, 64 bytes now",
      "frame 2, 42 bytes by port 0: dropped",
      "frame 3, 54 bytes by port 0: sent by port 0",
      "frame 4, 60 bytes by port 0: sent by port 1, byte 22 changed",
      "frame 5, 60 bytes by port 0: failed",
      "read 5 frames: 5 by port 0",
      "sent 3 frames: 1 by port 0, 2 by port 1; 2 of them changed",
      "dropped 1 frame",
      "failed 1 frame: the log tells why",
      "the capture has only the start of 1 frame",
      "counted seen: 5",
    ]);
    equal(said.length, 1);
    match(said[0], /^function my\.ts has thrown: what is this\? at .*my\.ts:9:51\)?$/);
    deepEqual(read("out.pcapng"), [
      { port: 1, time: TIME, bytes: 64, wireBytes: 64 },
      { port: 0, time: TIME + 2n * MILLISECOND, bytes: 54, wireBytes: 54 },
      { port: 1, time: TIME + 3n * MILLISECOND, bytes: 60, wireBytes: 98 },
    ]);
    equal(await run("my.ts", "in.pcap", "out.pcap", "--on-error", "pass"), 1);
    deepEqual(read("out.pcap").map(({ port, bytes }) => [port, bytes]), [
      ...[[0, 64], [0, 54], [0, 60], [0, 60]],
    ]);
    equal(Deno.statSync(`${folder}/in.pcap`).size, CAPTURE.length);
  });
});

Deno.test("culvert try takes interfaces for ports, and functions that come with culvert", async () => {
  const capture = Uint8Array.of(
    ...sectionBlock(false),
    ...[0, 1, 2].flatMap(() => [...interfaceBlock(false)]),
    ...[2, 1, 0, 0].flatMap((port, i) => [
      ...packetBlock(false, port, TIME / 1000n + BigInt(i), frame.udp()),
    ]),
  );
  await inFolder(capture, async ({ run, lines }) => {
    equal(await run("macswap", "in.pcap"), 0);
    deepEqual(lines, [
      "read 4 frames: 2 by port 0, 1 by port 1, 1 by port 2",
      "sent 4 frames: 1 by port 0, 2 by port 1, 1 by port 2; 4 of them changed",
      "dropped 0 frames",
    ]);
    await rejects(run("macswap", "in.pcap", "--ports", "2"), {
      message: "Cannot try a frame of port 2: there are ports 0 to 1; ask for more",
    });
  });
});

Deno.test("culvert try does what is whole of a capture that is cut off, then says where it ends", async () => {
  await inFolder(CAPTURE.slice(0, 24 + 76 + 58 + 20), async ({ run, lines, read }) => {
    await rejects(run("my.ts", "in.pcap", "out.pcap"), {
      name: "CulvertError",
      message: /in\.pcap to its end as it ends in the middle of a frame, at byte 178: it was cut/,
    });
    equal(lines[0], "read 2 frames: 2 by port 0");
    equal(read("out.pcap").length, 1);
  });
});

Deno.test("culvert try counts a timer that throws as a failure, and goes on", async () => {
  await inFolder(CAPTURE, async ({ folder, run, lines, said }) => {
    const text =
      `export const setup = ({ every }) => every(1, () => { throw Error("no timer"); });`;
    Deno.writeTextFileSync(`${folder}/timed.ts`, text);
    equal(await run("timed.ts", "in.pcap"), 1);
    equal(lines[1], "sent 5 frames: 5 by port 1");
    match(said[0], /^function timed\.ts has thrown: no timer at .*timed\.ts:1:\d+/);
  });
});

Deno.test("culvert try does not end where a function calls Deno.exit(), and can end after that", async () => {
  const { exit } = Deno;
  await inFolder(CAPTURE, async ({ folder, run, lines, said }) => {
    for (const text of ["Deno.exit(3)", "process.exit(3)"]) {
      Deno.writeTextFileSync(`${folder}/ends.ts`, `export default () => { ${text}; };`);
      equal(await run("ends.ts", "in.pcap"), 1);
      equal(lines[3], "failed 5 frames: the log tells why");
      match(
        said.at(-1)!,
        /has thrown.*: a function cannot end its guest: throw, and use --on-error/,
      );
    }
    Deno.writeTextFileSync(`${folder}/loads.ts`, "Deno.exit(3); export default () => {};");
    await rejects(run("loads.ts", "in.pcap"), {
      message: /^Cannot load function loads\.ts as a function cannot end its guest: .*loads\.ts:1/,
    });
  });
  equal(Deno.exit, exit);
});

Deno.test("culvert try reads an empty capture, and skips frames that no mbuf has room for", async () => {
  await inFolder(pcapFile(true, false, []), async ({ run, lines, read }) => {
    equal(await run("my.ts", "in.pcap", "out.pcap"), 0);
    deepEqual(lines, ["read 0 frames", "sent 0 frames", "dropped 0 frames", "counted seen: 0"]);
    deepEqual(read("out.pcap"), []);
  });
  const long = frame.udp({ payload: new Uint8Array(3000) });
  const capture = pcapFile(
    true,
    false,
    [FRAMES[0], long, FRAMES[2]].map((bytes) => ({
      ...{ bytes, time: TIME },
    })),
  );
  await inFolder(capture, async ({ run, lines }) => {
    equal(await run("my.ts", "in.pcap"), 0);
    deepEqual(lines.slice(0, 4), [
      "read 3 frames: 3 by port 0",
      "sent 2 frames: 1 by port 0, 1 by port 1; 1 of them changed",
      "dropped 0 frames",
      "skipped 1 frame of more than 2240 bytes: use --mtu",
    ]);
    equal(await run("my.ts", "in.pcap", "--mtu", "9000"), 0);
    equal(lines.includes("sent 3 frames: 1 by port 0, 2 by port 1; 2 of them changed"), true);
  });
});

Deno.test("culvert try refuses what it cannot read, and to write over what it reads", async () => {
  await inFolder(CAPTURE, async ({ run, folder }) => {
    await rejects(run("my.ts", "no.pcap"), {
      message:
        `Cannot open capture ${folder}/no.pcap as the kernel says ENOENT: there is no such ` +
        "file, or no folder for it; check the path",
    });
    await rejects(
      run("my.ts", "in.pcap", `${folder}/no/out.pcap`),
      /Cannot write capture \S+\/no\/out\.pcap as the kernel says ENOENT/,
    );
    await rejects(run("my.ts", "my.ts"), /as it begins with 0a657870: pcap or pcapng is wanted/);
    await rejects(run("my.ts", "in.pcap", "in.pcap"), {
      name: "UsageError",
      message: `Cannot write ${folder}/in.pcap as it is the capture that is read: name another`,
    });
    equal(Deno.statSync(`${folder}/in.pcap`).size, CAPTURE.length);
    await rejects(run("none", "in.pcap"), /^UsageError: Cannot use function none as there is none/);
    await rejects(run("my.ts", "in.pcap", "--set", "ttl"), /Cannot use --set ttl as it is no opt/);
  });
});

Deno.test("culvert try says in a line why a function cannot be used", async () => {
  const refused = [
    [
      "export function setup() { throw new Error('no rules'); }",
      /^Cannot set up function a\.ts as it has thrown: no rules at .*a\.ts:1:33/,
    ],
    [
      "export async function setup() {}",
      /^Cannot use function a\.ts as its setup is async: nothing waits/,
    ],
    ["export default async () => {};", /^Cannot use function a\.ts as its default is async: /],
    [
      "export default () => {}; export const options = { limit: 10 };",
      /^Cannot use function a\.ts as its options are no schema: .* = plainOptions\(\{ rate: 100 \}\)$/,
    ],
    ["export default () => {}; export const options = null;", /as its options are no schema: /],
    [
      "export default () => {}; export const option = {};",
      /^Cannot use function a\.ts as it exports option: export options, or give option a name unlike /,
    ],
    [
      "export function set_up() {}",
      /^Cannot use function a\.ts as it exports set_up: export setup, /,
    ],
    [
      'export default () => {}; export const originates = "no";',
      /^Cannot use function a\.ts as its originates is no boolean: export const originates = true$/,
    ],
    [
      "export default () => {}; export const save = {};",
      /^Cannot use function a\.ts as its save is no function: export function save\(\)$/,
    ],
    ["export default () => {}; export async function save() {}", /as its save is async: nothing /],
    ['import "culvert/function";', /: did you mean culvert-net\/function\?/],
    [
      'import "nothing";',
      /^[\x20-\x7e]*not in import map[^]*: write .\/ before .*npm install nothing\n *at file:[^ ]*a\.ts:1:8$/,
    ],
  ] as const;
  for (const [text, message] of refused) {
    await inFolder(CAPTURE, async ({ run, folder }) => {
      Deno.writeTextFileSync(`${folder}/a.ts`, text);
      await rejects(() => run("a.ts", "in.pcap"), { name: "CulvertError", message });
    });
  }
});

Deno.test("culvert try runs a chain: each function gets what the one before has kept, and its options", async () => {
  await inFolder(CAPTURE, async ({ folder, lines, said, run }) => {
    const counts = (name: string) =>
      `export const options = { "~standard": { validate: (value) => ({ value }) } };
      export const setup = ({ counter, options }) => {
        const seen = counter("${name} " + (options.word ?? ""));
        return (burst) => {
          seen.add(burst.count);
          for (let i = 0; i < burst.count; i++) if (burst.u16(i, 12) === 0x0806) burst.drop(i);
        };
      };`;
    Deno.writeTextFileSync(`${folder}/first.ts`, counts("first"));
    Deno.writeTextFileSync(`${folder}/second.ts`, counts("second"));
    const args = ["first.ts", "in.pcap", "--set", "word=a", "--function", "second.ts"];
    equal(await run(...args, "--set", "word=b"), 0, said.join("\n"));
    deepEqual(lines.slice(-2), ["counted first a: 5", "counted second b: 4"]);
  });
});

for (
  const [what, text] of [
    ["a promise that is rejected", 'export default () => { Promise.reject(new Error("late")); };'],
    ["a timer that throws", 'export default () => setTimeout(() => { throw new Error("late"); });'],
  ]
) {
  Deno.test(`culvert try says in a line that a function has left ${what}, and where`, async () => {
    await inFolder(CAPTURE, async ({ folder, run }) => {
      Deno.writeTextFileSync(`${folder}/late.ts`, text);
      await rejects(run("late.ts", "in.pcap"), (error: Error) => {
        match(
          error.message,
          /^A promise or timer of the function has failed: late at .*late\.ts:1:/,
        );
        match(
          error.message,
          /: a function is done when it returns, nothing waits for what it leaves$/,
        );
        return error.name === "CulvertError";
      });
    });
  });
}
