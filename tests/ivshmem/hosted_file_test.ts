import { equal, notEqual, throws } from "node:assert/strict";
import { hostFile } from "../../app/ivshmem/hosted_file.ts";
import { locateRegion, openRegion } from "../../app/ivshmem/region_source.ts";

// Regions as files. Their folder is /dev/shm, which `deno task unit` may not write to: then these are ignored.

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
function test(name: string, fn: (fresh: FreshPath) => void): void {
  Deno.test({
    name,
    ignore,
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

test("HostedMemory.withdraw() removes the file, once, and keeps the memory", (fresh) => {
  const hosted = hostFile(fresh.path, MIB);
  hosted.withdraw();
  equal(openRegion(fresh.path), undefined);
  hosted.memory.u32[5] = 1;
  equal(hosted.memory.u32[5], 1);
  fresh.fill(MIB); // another host's
  hosted.close();
  equal(fresh.isThere, true);
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
