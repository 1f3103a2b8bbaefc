import { deepEqual, equal, notEqual, ok, throws } from "node:assert/strict";
import { hostFile } from "../../app/region/hosted_file.ts";
import { locateRegion, openRegion } from "../../app/region/region_source.ts";
import { makeMemory } from "../../app/ivshmem/served_memory.ts";
import { type Owner, SAME } from "../../app/linux/owner.ts";
import { runWorkers } from "../ffi/run_workers.ts";
import type { RaceResult } from "./locked_file_worker.ts";

// Regions as files. Their folder is /dev/shm, which `deno task unit` may not write to: then these
// are ignored.

const FOLDER = "/dev/shm";
const MIB = 1 << 20;

const states = await Promise.all(
  (["read", "write"] as const).map((name) => Deno.permissions.query({ name, path: FOLDER })),
);
const ignore = states.some(({ state }) => state !== "granted");

/** A path of one test, at which there is no file, and none is left at the end. */
class FreshPath implements Disposable {
  readonly path = `${FOLDER}/culvert-test-${Deno.pid}-${performance.now()}`;

  get isThere(): boolean {
    try {
      return Deno.statSync(this.path).isFile;
    } catch {
      return false;
    }
  }

  /** Make a file of so many zeros. */
  fill(bytes: number): void {
    using file = Deno.openSync(this.path, { write: true, create: true });
    file.truncateSync(bytes);
  }

  [Symbol.dispose](): void {
    if (this.isThere) Deno.removeSync(this.path);
  }
}

/** A test that writes files. */
function test(name: string, fn: (fresh: FreshPath) => void, needsRoot = false): void {
  Deno.test({
    name,
    ignore: ignore || (needsRoot && Deno.uid() !== 0), // root alone may give files away
    fn: () => {
      using fresh = new FreshPath();
      fn(fresh);
    },
  });
}

test("hostFile() makes a file for its owner alone, and removes it at the end", (fresh) => {
  const hosted = hostFile(fresh.path, MIB);
  const { size, mode } = Deno.statSync(fresh.path);
  equal(size, MIB);
  equal(mode! & 0o777, 0o600);
  equal(hosted.path, fresh.path);
  hosted.close();
  equal(fresh.isThere, false);
});

test("openRegion() maps the memory that hostFile() made", (fresh) => {
  const hosted = hostFile(fresh.path, MIB);
  const { memory: guest, close } = openRegion(fresh.path)!;
  equal(guest.bytes, MIB);
  notEqual(guest.map, hosted.memory.map);
  hosted.memory.u32[MIB / 4 - 1] = 0xfedcba98;
  equal(guest.u32[MIB / 4 - 1], 0xfedcba98);
  equal(locateRegion(fresh.path).bytes, MIB);
  equal(locateRegion(fresh.path).path, fresh.path);
  hosted.close();
  close();
});

test("hostFile() goes on with a file that is there, and leaves it there", (fresh) => {
  fresh.fill(MIB);
  const first = hostFile(fresh.path, MIB);
  first.memory.u32[1000] = 4711;
  first.close();
  const second = hostFile(fresh.path, MIB);
  equal(second.memory.u32[1000], 4711);
  second.close();
  equal(fresh.isThere, true);
});

test("hostFile() gives a file that has holes all of its memory", (fresh) => {
  for (const hole of [MIB, 4096]) {
    fresh.fill(0);
    fresh.fill(hole);
    using file = Deno.openSync(fresh.path, { append: true });
    file.writeSync(new Uint8Array(MIB - hole));
    equal(Deno.statSync(fresh.path).blocks! * 512, MIB - hole);
    hostFile(fresh.path, MIB).close();
    equal(Deno.statSync(fresh.path).blocks! * 512, MIB);
  }
});

test("hostFile() goes on with a file of a host before it, whatever a guest has written there", (fresh) => {
  const first = hostFile(fresh.path, MIB);
  const vm = openRegion(fresh.path)!; // it has the file mapped, so that it stays
  vm.memory.u32[0] = 0xdead;
  first.close();
  const second = hostFile(fresh.path, MIB);
  equal(second.memory.u32[0], 0xdead);
  vm.close();
  second.close();
  equal(fresh.isThere, false);
});

test("hostFile() refuses a file that no host has made, and that holds something else", (fresh) => {
  Deno.writeFileSync(fresh.path, new Uint8Array(MIB).fill(7), { mode: 0o600 });
  throws(() => hostFile(fresh.path, MIB), {
    name: "CulvertError",
    message: `Cannot host region ${fresh.path} as it holds something else: name another, or ` +
      "remove it",
  });
  equal(Deno.readFileSync(fresh.path)[0], 7);
});

test("hostFile() refuses a file that another host has, and does not touch it", (fresh) => {
  const first = hostFile(fresh.path, MIB);
  throws(() => hostFile(fresh.path, MIB), {
    name: "CulvertError",
    message: `Cannot host region ${fresh.path} as another host has it: stop that one, or use ` +
      "another --region",
  });
  equal(fresh.isThere, true);
  first.close();
});

test("hostFile() refuses a file of another size, and leaves it as it is", (fresh) => {
  fresh.fill(2 * MIB);
  throws(() => hostFile(fresh.path, MIB), {
    name: "CulvertError",
    message: `Cannot host region ${fresh.path} as it has ${2 * MIB} bytes where ${MIB} are ` +
      `wanted: use --size ${2 * MIB}, or remove it`,
  });
  equal(Deno.statSync(fresh.path).size, 2 * MIB);
});

test("openRegion() of a file that its host has only just made is undefined", (fresh) => {
  fresh.fill(0);
  equal(openRegion(fresh.path), undefined);
});

for (const bytes of [3 * MIB, MIB + 4096]) {
  test(`openRegion() refuses a file of ${bytes} bytes, no power of two`, (fresh) => {
    fresh.fill(bytes);
    throws(() => openRegion(fresh.path), {
      name: "CulvertError",
      message: `Cannot use region ${fresh.path} as it has ${bytes} bytes: QEMU takes powers of ` +
        "two only; use 1M, 2M, 4M ... 4G",
    });
  });
}

test("hostFile() in a folder that is not there is refused", (fresh) => {
  throws(() => hostFile(`${fresh.path}/culvert0`, MIB), {
    name: "ShimError",
    message: /^Cannot create region file .* as the kernel says ENOENT: /,
  });
});

test("hostFile() removes at the end only its own file, not one that was put in its place", (fresh) => {
  const hosted = hostFile(fresh.path, MIB);
  Deno.removeSync(fresh.path);
  fresh.fill(MIB); // another host's
  hosted.close();
  equal(fresh.isThere, true);
});

test("hostFile() leaves a file that is mapped for the next host, who removes it when it is not", (fresh) => {
  const first = hostFile(fresh.path, MIB);
  const vm = openRegion(fresh.path)!;
  first.memory.u32[1000] = 4711;
  first.close();
  equal(fresh.isThere, true);
  const second = hostFile(fresh.path, MIB);
  equal(second.memory.u32[1000], 4711);
  second.memory.u32[1000] = 815;
  equal(vm.memory.u32[1000], 815);
  vm.close();
  second.close();
  equal(fresh.isThere, false);
});

const NOBODY = 65534, GROUP = 54321;

/** What a region's host, and its server, say of a file that is there. */
function refusals(path: string, owner?: Owner): (string | undefined)[] {
  const name = path.slice(`${FOLDER}/`.length);
  return [
    () => hostFile(path, MIB, owner),
    () => makeMemory({ kind: "shm", name }, "test", MIB, owner),
  ].map((take) => {
    try {
      take().close();
    } catch (error) {
      return (error as Error).message.replaceAll(path, "P").replace(
        /^Cannot (host region|serve) P as /,
        "",
      );
    }
  });
}

test("hostFile() and makeMemory() take no file that another user has made beforehand", (fresh) => {
  fresh.fill(MIB);
  Deno.chownSync(fresh.path, NOBODY, NOBODY);
  const said = `P belongs to user ${NOBODY}: remove it, or be that one by --user ${NOBODY}`;
  deepEqual(refusals(fresh.path), [said, said]);
  equal(Deno.statSync(fresh.path).uid, NOBODY);
  deepEqual(refusals(fresh.path, { uid: NOBODY, gid: NOBODY, mode: 0o600 }), [
    undefined,
    undefined,
  ]);
}, true);

for (
  const [mode, gid, owner] of [
    [0o602, 0, undefined],
    [0o620, 0, undefined],
    [0o620, 0, { uid: SAME, gid: GROUP, mode: 0o660 }],
    [0o622, GROUP, { uid: SAME, gid: GROUP, mode: 0o660 }],
  ] as const
) {
  test(
    `hostFile() and makeMemory() take no file of mode ${mode.toString(8)} and group ${gid}${
      owner ? ` where ${GROUP} may` : ""
    }`,
    (fresh) => {
      fresh.fill(MIB);
      Deno.chownSync(fresh.path, null, gid);
      Deno.chmodSync(fresh.path, mode);
      const said =
        `others may write P, whose mode is ${mode.toString(8)}: remove it, or chmod 600; ` +
        "a --group may write it";
      deepEqual(refusals(fresh.path, owner), [said, said]);
    },
    true,
  );
}

test("hostFile() and makeMemory() take a file that the group may write which is to", (fresh) => {
  fresh.fill(MIB);
  Deno.chownSync(fresh.path, null, GROUP);
  Deno.chmodSync(fresh.path, 0o660);
  deepEqual(refusals(fresh.path, { uid: SAME, gid: GROUP, mode: 0o660 }), [undefined, undefined]);
}, true);

test("hostFile() finishes a file that another has only just begun, and removes it at the end", (fresh) => {
  fresh.fill(0);
  hostFile(fresh.path, MIB).close();
  equal(fresh.isThere, false);
});

Deno.test({
  name: "openLocked() of many at once gives a file to one, and it is the one at the path meanwhile",
  ignore,
  fn: async () => {
    using fresh = new FreshPath();
    const holders = new Int32Array(new SharedArrayBuffer(4));
    const order = { path: fresh.path, holders, milliseconds: 500 };
    const url = new URL("locked_file_worker.ts", import.meta.url);
    const all: RaceResult[] = await runWorkers(url, [order, order, order, order]);
    for (const { wrong } of all) deepEqual(wrong, []);
    // On a busy machine one of them may be unlucky all the time.
    ok(all.filter(({ held }) => held > 0).length > 1, JSON.stringify(all));
    ok(all.some(({ refused }) => refused > 0), JSON.stringify(all));
    equal(fresh.isThere, false);
  },
});

Deno.test({
  name: "hostFile() makes no file that it may not remove",
  permissions: { read: "inherit", write: false, ffi: "inherit" },
  fn: () => {
    const path = `${FOLDER}/culvert-none`;
    throws(() => hostFile(path, MIB), {
      name: "CulvertError",
      message: /^Cannot make a region at .* as we may not remove that in the end: use a NAME, /,
    });
    equal(openRegion(path), undefined);
  },
});
