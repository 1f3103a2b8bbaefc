import { CulvertError } from "../../ffi/error.ts";

const COUNT = "/proc/sys/vm/nr_hugepages";

/** Bytes of one hugepage, on x86-64 and on arm64 with 4 KiB pages. */
export const HUGEPAGE_BYTES: number = 2 << 20;

/**
 * Add hugepages to the system's, for as long as the result lives. What others reserve meanwhile is
 * left to them: disposing takes away as many as were added.
 *
 * @throws {CulvertError} if they cannot be had: without root, or with memory too fragmented.
 */
export async function reserveHugepages(count: number): Promise<AsyncDisposable> {
  const before = await hugepages();
  await setHugepages(before + count);
  const added = await hugepages() - before;
  const release = async () => await setHugepages(Math.max(0, await hugepages() - added));
  if (added >= count) return { [Symbol.asyncDispose]: release };
  await release();
  throw new CulvertError(
    `Cannot reserve hugepages as the kernel gave ${added} of ${count}: free some memory, then\n` +
      "  echo 1 > /proc/sys/vm/compact_memory",
  );
}

/**
 * Mount hugetlbfs on a folder of its own, with so many bytes reserved, for as long as the result
 * lives.
 *
 * @throws {CulvertError} as {@linkcode reserveHugepages} does, or if it cannot be mounted.
 */
export async function mountHugepages(bytes: number): Promise<AsyncDisposable & { path: string }> {
  await using made = new AsyncDisposableStack();
  made.use(await reserveHugepages(Math.ceil(bytes / HUGEPAGE_BYTES)));
  const path = await Deno.makeTempDir({ prefix: `culvert-huge-${Deno.pid}-` });
  made.defer(() => Deno.remove(path));
  const run = async (program: string, ...args: string[]) => {
    const { success, stderr } = await new Deno.Command(program, { args }).output();
    if (success) return;
    const said = new TextDecoder().decode(stderr).trim();
    throw new CulvertError(`Cannot use hugepages as ${program} says: ${said}`);
  };
  await run("mount", "-t", "hugetlbfs", "-o", `pagesize=2M,size=${bytes}`, "none", path);
  made.defer(() => run("umount", "--lazy", path)); // a program that was killed ends later
  const all = made.move();
  return { path, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

async function hugepages(): Promise<number> {
  return Number(await Deno.readTextFile(COUNT));
}

async function setHugepages(count: number): Promise<void> {
  try {
    await Deno.writeTextFile(COUNT, `${count}\n`, { create: false });
  } catch (error) {
    throw new CulvertError(`Cannot set ${COUNT} to ${count}: run as root`, { cause: error });
  }
}
