import { deepEqual, match, rejects } from "node:assert/strict";
import fc from "fast-check";
import { readHostConfig } from "../../../app/cli/config/host_config.ts";
import { parsedWithConfig } from "../../../app/cli/config/with_config.ts";
import { hostOptions } from "../../../app/cli/host_command.ts";
import { HOST } from "../../../app/cli/tables/host.ts";
import { UsageError } from "../../../ffi/error.ts";
import { parsed } from "../tables.ts";

const GOOD = `
burst = 64
cores = 0
mbufs = 1024
wipe = false

[[region]]
name = "red"
size = "64M"
ports = ["tap:tap0", "link:ab"]

[[region]]
name = "blue"
mbufs = 2048

[[region.guest]]
number = 3
ports = [
  "null:0",
  "link:ab",
]
`;

/** What a host of a file and of further options is to do. */
async function optionsOf(text: string, ...args: string[]) {
  const file = await Deno.makeTempFile({ suffix: ".toml" });
  try {
    await Deno.writeTextFile(file, text);
    return hostOptions(await parsedWithConfig(parsed(HOST, ["--config", file, ...args])));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(error.message.replaceAll(file, "a.toml"));
  } finally {
    await Deno.remove(file);
  }
}

Deno.test("readHostConfig() gives regions, guests and ports in the order of the file", async () => {
  const given = await readHostConfig("a.toml", GOOD);
  deepEqual(given.map(({ name, value }) => `${name} ${value}`), [
    ...["burst 64", "cores 0", "mbufs 1024", "wipe false"],
    ...["region red", `size ${64 << 20}`, "port tap:tap0", "port link:ab"],
    ...["region blue", "mbufs 2048", "guest 3", "port null:0", "port link:ab"],
  ]);
  deepEqual(given.at(-1)!.origin, { file: "a.toml", place: { line: 20, column: 3 } });
});

Deno.test("culvert host --config does what the same command line does", async () => {
  const line = "--burst 64 -l 0 --mbufs 1024 --region red --size 64M --port tap:tap0 " +
    "--port link:ab --region blue --mbufs 2048 --guest 3 --port null:0 --port link:ab";
  deepEqual(await optionsOf(GOOD), hostOptions(parsed(HOST, line.split(" "))));
});

Deno.test("an option of the command line wins over the file's", async () => {
  const { burst, mtu } = await optionsOf(GOOD, "--burst", "8", "--mtu", "9000");
  deepEqual([burst, mtu], [8, 9000]);
});

Deno.test("an option that may be given again and again takes one text, or several", async () => {
  for (const mirror of ['"tap:tap0=tap:m0"', '["tap:tap0=tap:m0"]']) {
    const { mirrors } = await optionsOf(`mirror = ${mirror}\n${GOOD}`);
    deepEqual(mirrors?.map(({ to }) => to.name), ["m0"]);
  }
});

Deno.test("a port of more queues than cores is refused at its place; its mirror has as many", async () => {
  const cores = Math.min(2, navigator.hardwareConcurrency);
  const text =
    'mirror = "e=tap:m"\n[[region]]\nname = "a"\nports = ["null", "packet:e,queues=2"]\n';
  await rejects(optionsOf(text, "-l", "0"), {
    name: "UsageError",
    message:
      /\na\.toml:4:18 Cannot use port packet:e,queues=2 as each of its queues takes a core, /,
  });
  if (cores < 2) return;
  const { mirrors } = await optionsOf(text, "-l", "0,1");
  deepEqual(mirrors?.map(({ to }) => to), [{ kind: "tap", name: "m", queues: 2 }]);
});

const REGION = '[[region]]\nname = "a"\nports = ["null"]\n';

/** Files with faults, and what is said of them behind the file's name. */
const FAULTS: readonly (readonly [text: string, ...said: string[]])[] = [
  [`burst = 999\n${REGION}`, ":1:1 burst = 999: at most 256"],
  [`\n  burst = 0\n${REGION}`, ":2:3 burst = 0: at least 1"],
  [`burst = 1.5\n${REGION}`, ":1:1 burst = 1.5: a whole number is wanted"],
  [`burst = "32"\n${REGION}`, ':1:1 burst = "32": a whole number is wanted'],
  [`brust = 1\n${REGION}`, ":1:1 brust: there is no such key: did you mean burst?"],
  [`config = "b.toml"\n${REGION}`, ":1:1 config: there is no such key: there are "],
  [`idle = "doze"\n${REGION}`, ':1:1 idle = "doze": "poll", "adaptive" or "sleep" is wanted'],
  [`wipe = 1\n${REGION}`, ":1:1 wipe = 1: true or false is wanted"],
  [`user = ""\n${REGION}`, ':1:1 user = "": a text is wanted, and this one is empty'],
  [`size = 1e21\n${REGION}`, ':1:1 size = 1e+21: a size is wanted: 65536, "64M" or "1G"'],
  [`size = "1T"\n${REGION}`, ':1:1 size = "1T": a size is wanted: 65536, "64M" or "1G"'],
  ["burst = 1\n", ":1:1 region is missing"],
  ["region = []\n", ":1:1 region = []: one region at least is wanted"],
  ['[region]\nname = "a"\n', ':1:1 region = {"name":"a"}: tables are wanted: [[region]]'],
  ['[[region]]\nports = ["null"]\n', ":1:1 region[0].name is missing"],
  [
    '[[region]]\nname = "a"\nports = []\n',
    ":3:1 region[0].ports = []: one port at least is wanted",
  ],
  [
    '[[region]]\nname = "a"\nports = [\n7]',
    ':4:1 region[0].ports[0] = 7: text is wanted, such as "tap:tap0"',
  ],
  [`${REGION}[[region.guest]]\nports = ["null"]`, ":4:1 region[0].guest[0].number is missing"],
  [
    `${REGION}[[region.guest]]\nnumber = 127\nports = ["null"]`,
    ":5:1 region[0].guest[0].number = 127: at most 126",
  ],
  [`${REGION}mbuf = 64`, ":4:1 region[0].mbuf: there is no such key: did you mean mbufs?"],
  ["burst = \n", ":2:1 is no TOML: "],
  [`burst = 1\nburst = 2\n${REGION}`, ":2:1 is no TOML: "],
  [`mtu = 1\nburst = 0\n${REGION}`, ":1:1 mtu = 1: at least 68", ":2:1 burst = 0: at least 1"],
  // What only the host's own reader finds:
  ['[[region]]\nname = "a"\nports = ["tab:x"]', ':3:10 Cannot use port "tab:x"'],
  ['[[region]]\nname = "a"\nports = ["tap:x",\n "tap:x"]', ":3:10 Cannot use port tap:x twice"],
  [
    '[[region]]\nname = "a"\nports = ["link:x"]',
    ":3:10 Cannot use port link:x as it is named once",
  ],
  [
    '[[region]]\nname = "a"\nports = ["tab:x",\n "tap:x"]\n[[region]]\nname = "b"\nports = ["tab:y"]',
    ':3:10 Cannot use port "tab:x"',
    ':7:10 Cannot use port "tab:y"',
  ],
  [`${REGION}${REGION}`, ":5:1 Cannot use region a twice"],
  [`${REGION}size = 12345`, ":2:1 Cannot use "],
  ['[[region]]\nname = "a"', ":2:1 Cannot use region a without ports"],
  [
    `${REGION}[[region.guest]]\nnumber = 0\nports = ["null"]`,
    ":5:1 Cannot use guest 0 of region a twice",
  ],
  [`burst = 8\ncores = "1023"\n${REGION}`, ":2:1 Cannot use -l 1023 as core 1023 does not exist"],
  [`mtu = 900\nmirror = "x=tap:m"\n${REGION}`, ":2:1 Cannot mirror port x as 0 of the host's are"],
  [`mirror = "null"\n${REGION}`, ":1:1 Cannot use --mirror null as it is no PORT"],
  [
    `wipe = true\n${REGION}[[region.guest]]\nnumber = 1\nports = ["null"]`,
    ":1:1 Cannot use --wipe with region a as it has 2 guests",
  ],
];

for (const [text, ...said] of FAULTS) {
  Deno.test(`a file is refused with "a.toml${said[0]}"`, async () => {
    const error = await optionsOf(text).then(() => undefined, (error) => error);
    match(error?.message ?? "", /a\.toml/);
    const lines: string[] = error.message.split("\n");
    for (const what of said) {
      deepEqual(lines.filter((line) => line.startsWith(`a.toml${what}`)).length, 1, error.message);
    }
  });
}

Deno.test("regions are told by the file or by the command line, not by both", async () => {
  await rejects(optionsOf(REGION, "--port", "null"), /Cannot use --port beside --config/);
});

Deno.test("what the command line says instead of a file is refused without a place there", async () => {
  await rejects(optionsOf(`cores = 0\n${REGION}`, "-l", "1023"), { name: "UsageError" });
  await rejects(optionsOf(REGION, "--mirror", "x=tap:m"), {
    message: /^Cannot mirror port x as 0/,
  });
});

Deno.test("a file of any numbers and words is read, or refused as a file", async () => {
  const value = fc.oneof(fc.integer(), fc.double(), fc.string(), fc.boolean(), fc.array(fc.nat()));
  const names = [...Object.keys(HOST.options), "other"];
  await fc.assert(fc.asyncProperty(fc.constantFrom(...names), value, async (name, found) => {
    const text = `${name} = ${JSON.stringify(found)}\n${REGION}`;
    await readHostConfig("a.toml", text).catch((error) => match(error.message, /^a\.toml:/m));
  }));
});
