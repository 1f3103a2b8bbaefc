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
