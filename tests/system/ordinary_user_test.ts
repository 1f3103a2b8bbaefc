/**
 * What each command says to an ordinary user, who may not what it needs: what was refused, and what
 * to do. No stack trace, and no other cause.
 *
 * @module
 */
import assert from "node:assert/strict";
import { type Ended, Lab, packetPorts } from "../kit/lab.ts";
import { OtherUser, type Task } from "./other_user.ts";

const NOT_OURS =
  /EACCES: see whose it is \(ls -ld\), and become that user, join the group, or run as root$/;

/** Words of a command line; REGION and FILE are root's, NEW is nobody's yet. */
const CASES: readonly (readonly [Task, string, RegExp])[] = [
  ["host", "--port ring --region REGION", NOT_OURS],
  ["host", "--port ring --region FILE", NOT_OURS],
  ["host", "--port ring --region NEW --control c", NOT_OURS],
  ["host", "--config /root/culvert.toml", NOT_OURS],
  ["host", "--port packet:NIC --region NEW", /EPERM: run as root, or grant CAP_NET_RAW/],
  [
    "host",
    "--port tap:culvert9 --region NEW",
    /EPERM: run as root, grant CAP_NET_ADMIN, or make/,
  ],
  [
    "host",
    "--port xdp:NIC --region NEW",
    /EPERM: run as root, or grant CAP_BPF and CAP_NET_ADMIN/,
  ],
  ["host", "--port ring --region NEW --user root", /EPERM: run as root, or leave out --user/],
  ["check-config", "/root/culvert.toml", NOT_OURS],
  ["guest", "--region REGION", NOT_OURS],
  ["guest", "--region FILE", NOT_OURS],
  ["run", "--port packet:NIC", /EPERM: run as root, or grant CAP_NET_RAW/],
  ["try", "l2fwd /root/in.pcap", NOT_OURS],
  ["server", "-F -S REGION -l 1M", NOT_OURS],
  ["client", "-S REGION", NOT_OURS],
  ["qemu", "--region REGION", NOT_OURS],
  ["plug", "--region REGION --qmp /tmp/none", NOT_OURS],
  ["unplug", "--region REGION --qmp /root/none", NOT_OURS],
  ["inspect", "REGION", /as no process that we may look into has it: .*; run as root, or name a/],
  ["inspect", "FILE", NOT_OURS],
  ["top", "REGION -n 1", NOT_OURS],
  ["capture", "--region REGION -w -", /EACCES: be the host's user, or root: a capture shows/],
  ["extcap", "--extcap-interfaces", NOT_OURS],
  ["gen", "packet:NIC", /EPERM: run as root, or grant CAP_NET_RAW/],
  ["metrics", "--listen 127.0.0.1:80", /EACCES: a port below 1024 is for root; use a higher one$/],
  ["ctl", "CONTROL show", NOT_OURS],
];

/** What `culvert doctor` says of what needs a privilege. */
const TOLD = [/^BAD +capabilities /m, /^ok +versions .*root may see the versions of \d+ programs/m];

Deno.test("Each command tells an ordinary user what it may not, and what to do", async () => {
  await using lab = await Lab.open();
  await using user = await OtherUser.create(lab);
  const { a, b } = await lab.namespacePair({ quiet: true });
  const file = lab.newPath(), control = lab.name("c");
  await lab.startHost([...packetPorts(a), "--control", control]);
  await lab.startHost(["--port", "ring", "--region", file]);
  const words: Readonly<Record<string, string>> = {
    REGION: lab.region,
    FILE: file,
    NIC: b.outer,
    CONTROL: control,
  };
  const run = (task: Task, line: string): Promise<Ended> =>
    user.culvert(
      task,
      line.replace(/[A-Z]{3,}/g, (word) => words[word] ?? lab.newPath()).split(" "),
    ).ended();
  const todo = [...CASES];
  const worker = async () => {
    for (let next; (next = todo.shift());) {
      const [task, line, wanted] = next;
      const { code, stdout, stderr } = await run(task, line);
      const [said = ""] = (stdout + stderr).trimEnd().split("\n").slice(-1);
      assert.match(said, wanted, `culvert ${task} ${line}: ${said}`);
      assert.doesNotMatch(stderr, /^ +at |--allow-/m, `culvert ${task} ${line}`);
      assert.equal(code, task === "top" ? 0 : 1, `culvert ${task} ${line}`);
    }
  };
  await Promise.all([worker(), worker()]);
  const { stdout } = await user.culvert("doctor", []).ended();
  for (const wanted of TOLD) assert.match(stdout, wanted);
});
