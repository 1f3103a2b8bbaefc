import assert from "node:assert/strict";
import type { Finding } from "../../app/doctor/check.ts";
import { Lab, packetPorts } from "../kit/lab.ts";

const DOCTOR = ["run", "-A", "app/main.ts", "doctor"];

/** What the doctor finds, by check, and its exit status. */
async function examined(
  lab: Lab,
  under: string[] = [],
  args: string[] = [],
): Promise<{ code: number; found: Map<string, Finding> }> {
  const { code, stdout, stderr } = await lab.tryRun(
    ...under,
    Deno.execPath(),
    ...DOCTOR,
    "--json",
    ...args,
  );
  assert.equal(stderr, "");
  const findings: Finding[] = JSON.parse(stdout);
  return { code, found: new Map(findings.map((finding) => [finding.check, finding])) };
}

/** A command line under which the commands of a shell script were done before. */
function after(script: string): string[] {
  return ["unshare", "--mount", "sh", "-c", `${script} && exec "$@"`, "sh"];
}

Deno.test("culvert doctor sees hosts that run, their version, and what an interface of theirs does", async () => {
  await using lab = await Lab.open();
  const { a, b } = await lab.namespacePair();
  const host = await lab.startHost([...packetPorts(a, b)]);
  await lab.run("ethtool", "-K", a.outer, "rx-gro-list", "on");
  const { code, found } = await examined(lab);
  assert.equal(code, [...found.values()].some(({ state }) => state === "bad") ? 1 : 0);
  const lists = found.get(`offloads of ${a.outer}`)!;
  assert.deepEqual(
    [lists.state, lists.fix],
    ["note", `ethtool -K ${a.outer} rx-gro-list off`],
  );
  assert.equal(found.get(`offloads of ${b.outer}`)!.state, "good");
  await lab.run("sh", "-c", lists.fix!);
  const again = await examined(lab);
  assert.equal(again.found.get(`offloads of ${a.outer}`)!.state, "good");
  // Others may run here, of other versions.
  assert.doesNotMatch(found.get("versions")!.found, new RegExp(`host ${host.pid} `));
  assert.equal(found.get(`region ${lab.region}`), undefined, "it is of this build");
  assert.equal(found.get("QEMU")!.state, "good");
  await lab.finishHost(host);
});

Deno.test("culvert doctor knows the version of a host in a container, whose files are elsewhere here", async () => {
  const folder = await Deno.makeTempDir({ prefix: "culvert-test-" });
  await using _ = { [Symbol.asyncDispose]: () => Deno.remove(folder) };
  await using lab = await Lab.open();
  const { outer } = await lab.cable();
  const run = `exec ${Deno.execPath()} run -A ${folder}/app/main.ts host --port packet:${outer}`;
  const script = `mount --bind . ${folder} && ${run} --region ${lab.region}`;
  const host = lab.start("unshare", "--mount", "sh", "-c", script);
  await host.stderrLine(/is ready/);
  assert.deepEqual([...Deno.readDirSync(folder)], [], "only the host sees them");
  const { found } = await examined(lab);
  assert.equal(found.get(`offloads of ${outer}`)!.state, "good", "the host was seen");
  assert.doesNotMatch(found.get("versions")!.found, new RegExp(`host ${host.pid} `));
  await lab.finishHost(host);
});

Deno.test("culvert doctor finds what is taken from it, and ends with status 1", async () => {
  await using lab = await Lab.open();
  const bare = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
  const poor = ["prlimit", "--memlock=65536:65536", "--nofile=256:256", ...bare];
  const hidden = after("mount -t tmpfs none /dev/net && mount -t tmpfs -o size=1M none /dev/shm");
  const { code, found } = await examined(lab, [...hidden, ...poor]);
  assert.equal(code, 1);
  const state = (check: string) => found.get(check)!.state;
  assert.deepEqual(["capabilities", "tun"].map(state), ["bad", "bad"]);
  assert.deepEqual(["memlock", "open files", "shared memory"].map(state), ["note", "note", "note"]);
  assert.match(found.get("memlock")!.found, /^64 KiB/);
  assert.equal(found.get("shared memory")!.found.split(" ")[0], "1");
});

Deno.test("culvert doctor finds a QEMU that was built without ivshmem", async () => {
  await using lab = await Lab.open();
  const folder = await Deno.makeTempDir();
  try {
    const program = `${folder}/qemu-system-x86_64`;
    await Deno.writeTextFile(program, "#!/bin/sh\necho 'QEMU emulator version 9.1.0'\n");
    await Deno.chmod(program, 0o755);
    const path = `PATH=${folder}:${Deno.env.get("PATH")}`;
    const { code, found } = await examined(lab, ["env", path]);
    assert.equal(code, 1);
    assert.match(found.get("QEMU")!.found, /9\.1\.0 was built without ivshmem-plain/);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("culvert doctor has colours at a terminal, unless NO_COLOR is set, and none in a pipe", async () => {
  await using lab = await Lab.open();
  const line = [Deno.execPath(), ...DOCTOR].join(" ");
  const atTerminal = (...environment: string[]) =>
    lab.tryRun("env", ...environment, "script", "--quiet", "--command", line, "/dev/null");
  const green = "\x1b[32mok  \x1b[0m  ";
  assert((await atTerminal("-u", "NO_COLOR")).stdout.includes(green));
  const plain = [await atTerminal("NO_COLOR=1"), await lab.tryRun(Deno.execPath(), ...DOCTOR)];
  for (const { stdout } of plain) assert(/^ok {4}/m.test(stdout) && !stdout.includes("\x1b"));
});
