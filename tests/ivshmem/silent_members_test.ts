import { equal, ok } from "node:assert/strict";
import { until } from "../kit/wait.ts";
import type { QemuClient } from "./qemu_client.ts";
import { ServerLab } from "./server_lab.ts";

const mayWrite = Deno.permissions.querySync({ name: "write", path: "/tmp" }).state === "granted";

Deno.test({
  name: "IvshmemServer does no work for those that read nothing, however many come and go",
  ignore: !mayWrite,
  fn: async () => {
    await using lab = await ServerLab.open({ vectors: 2 });
    const { counts } = lab.server;
    const silent: QemuClient[] = [];
    for (const many of [40, 80, 120]) {
      while (silent.length < many) silent.push(lab.silentClient());
      await until(() => lab.server.members.length === many, "all are there");
    }
    const most = 10; // a socket takes some six messages, and refuses one
    ok(counts.sends <= most * silent.length, `${counts.sends} sends to ${silent.length}`);
    const before = counts.sends;
    for (const client of silent.splice(0, 100)) client.close();
    await until(() => counts.left === 100, "they have left");
    equal(counts.sends, before, "those that are there still take nothing");
    const last = silent.pop()!;
    await last.greeted();
    await last.knows(lab.server.members.map(({ id }) => id).filter((id) => id !== last.id), 2);
  },
});
