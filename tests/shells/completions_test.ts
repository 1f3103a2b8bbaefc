import { deepEqual, equal, match, ok } from "node:assert/strict";
import { COMMANDS } from "../../app/cli/commands.ts";
import { optionsOf } from "../../app/cli/command.ts";
import { culvert, run } from "./culvert.ts";

const TABLES = COMMANDS.map(({ table }) => table);
const NAMES = TABLES.map(({ name }) => name);

async function scriptFor(shell: string): Promise<string> {
  const { code, stdout, stderr } = await culvert("completions", shell);
  equal(code, 0, stderr);
  equal(stderr, "");
  return stdout;
}

const BASH = await scriptFor("bash");
const FISH = await scriptFor("fish");

/** What bash offers behind words that it has split as it does. */
async function bash(...words: string[]): Promise<string[]> {
  const list = words.map((word) => `'${word}'`).join(" ");
  const script = `${BASH}
compopt() { :; }
COMP_WORDS=(${list}) COMP_CWORD=${words.length - 1}
_culvert
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { code, stdout, stderr } = await run("bash", ["--norc"], script);
  equal(code, 0, stderr);
  equal(stderr, "");
  return stdout.split("\n").filter((line) => line !== "");
}

/** What fish offers behind a command line. */
async function fish(line: string): Promise<string[]> {
  const { stdout, stderr } = await run("fish", ["--no-config"], `${FISH}\ncomplete -C '${line}'\n`);
  equal(stderr, "");
  return stdout.split("\n").filter((text) => text !== "").map((text) => text.split("\t")[0]);
}

Deno.test("bash offers every command, and those that begin so", async () => {
  deepEqual(await bash("culvert", ""), ["help", "--help", "--version", ...NAMES]);
  deepEqual(await bash("culvert", "in"), ["inspect"]);
  deepEqual(await bash("culvert", "help", ""), NAMES);
});

Deno.test("bash offers every option of every command, long and short", async () => {
  for (const table of TABLES) {
    const offered = await bash("culvert", table.name, "-");
    for (const [long, { short }] of Object.entries(optionsOf(table))) {
      ok(offered.includes(`--${long}`), `${table.name} --${long}`);
      ok(short === undefined || offered.includes(`-${short}`), `${table.name} -${short}`);
    }
  }
  deepEqual(await bash("culvert", "guest", "--no"), ["--no-mac-updating"]);
});

Deno.test("bash offers the values of an option, also behind =, and none where any number will do", async () => {
  deepEqual(await bash("culvert", "host", "--idle", ""), ["poll", "adaptive", "sleep"]);
  deepEqual(await bash("culvert", "host", "--idle", "=", "s"), ["sleep"]);
  deepEqual(await bash("culvert", "host", "--idle", "="), ["poll", "adaptive", "sleep"]);
  deepEqual(await bash("culvert", "host", "--port", "t"), ["tap:"]);
  deepEqual(await bash("culvert", "host", "--mtu", ""), []);
  deepEqual(await bash("culvert", "completions", ""), ["bash", "zsh", "fish"]);
});

Deno.test("bash offers files where a file is wanted, names with spaces whole", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/a kernel`, "");
    await Deno.mkdir(`${folder}/a folder`);
    deepEqual(await bash("culvert", "qemu", "--modules", `${folder}/a`), [`${folder}/a folder`]);
    deepEqual((await bash("culvert", "qemu", "--kernel", `${folder}/a`)).sort(), [
      `${folder}/a folder`,
      `${folder}/a kernel`,
    ]);
    deepEqual(await bash("culvert", "host", "--region", `${folder}/a k`), [`${folder}/a kernel`]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("an interactive bash completes culvert when it has read the script", async () => {
  const { stdout } = await run("bash", ["--norc"], `${BASH}\ncomplete -p culvert\n`);
  equal(stdout, "complete -o bashdefault -F _culvert culvert\n");
});

Deno.test("fish offers commands, options and values", async () => {
  deepEqual(
    (await fish("culvert ")).filter((word) => NAMES.includes(word)).sort(),
    NAMES.toSorted(),
  );
  for (const table of TABLES) {
    const offered = await fish(`culvert ${table.name} --`);
    for (const long of Object.keys(optionsOf(table))) {
      ok(offered.includes(`--${long}`), `${table.name} --${long}`);
    }
  }
  deepEqual(await fish("culvert host --idle "), ["adaptive", "poll", "sleep"]);
  deepEqual(await fish("culvert host --idle=s"), ["--idle=sleep"]);
  deepEqual(await fish("culvert completions z"), ["zsh"]);
});

/** Let a zsh complete that believes somebody types; it prints the line that it has then. */
const IN_A_TERMINAL = String.raw`
zmodload zsh/zpty
zpty shell "TERM=dumb zsh -f -i"
zpty -w shell "autoload -Uz compinit; compinit -u -D; source $1"
zpty -w shell 'tell() { print -r -- "LINE[$BUFFER]" }; zle -N tell; bindkey "^P" tell; print RE""ADY'
screen=
while zpty -r shell line; do screen+=$line; [[ $screen == *READY* ]] && break; done
zpty -w -n shell "$2"$'\t\x10'
while zpty -r shell line; do
  [[ $line == *LINE\[*\]* ]] || continue
  print -r -- "$line"
  break
done
zpty -d shell
`;

Deno.test("zsh completes commands, options and values", async () => {
  const file = await Deno.makeTempFile({ suffix: ".zsh" });
  try {
    await Deno.writeTextFile(file, await scriptFor("zsh"));
    for (
      const [typed, wanted] of [
        ["culvert insp", "inspect "],
        ["culvert host --quar", "host --quarantine-after="],
        ["culvert host --idle ad", "host --idle adaptive "],
        ["culvert guest --forward-mode icmp", "guest --forward-mode icmpecho "],
        ["culvert completions f", "completions fish "],
      ]
    ) {
      const args = ["20", "zsh", "-f", "-s", file, typed];
      const { stdout } = await run("timeout", args, IN_A_TERMINAL);
      ok(stdout.includes(`LINE[culvert ${wanted}]`), `${typed}: ${stdout}`);
    }
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("culvert completions refuses a shell that it does not know, and none", async () => {
  const { code, stderr } = await culvert("completions", "tcsh");
  equal(code, 2);
  match(stderr, /^culvert: Cannot use SHELL tcsh as it is none of bash, zsh or fish/);
  match(
    (await culvert("completions")).stderr,
    /Cannot run culvert completions as SHELL is missing/,
  );
});
