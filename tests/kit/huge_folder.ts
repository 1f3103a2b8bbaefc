import { HUGEPAGE_BYTES, reserveHugepages } from "../../bench/peers/hugepages.ts";
import type { Lab } from "./lab.ts";
import { exists } from "./processes.ts";

const FOLDER = "/dev/hugepages";

/** Room for one region of 64 MiB and little more, however many pages the machine has. */
const MOUNT_BYTES = 80 << 20;

/** Locked while a test has such a folder: the number of pages is the system's. */
const LOCK = "/tmp/culvert-test-hugepages.lock";

/**
 * A file system of hugepages that is a test's own, below /dev/hugepages, where `deno task host` may
 * write. Its pages are added to the system's until it is disposed of. There is one at a time: tests
 * that run beside each other wait.
 */
export class HugeFolder implements AsyncDisposable {
  readonly path: string;

  private constructor(
    private readonly lab: Lab,
    private readonly pages: AsyncDisposable,
    private readonly isNew: boolean,
    private readonly lock: Deno.FsFile,
  ) {
    this.path = `${FOLDER}/${lab.name("test-")}`;
  }

  /** Reserve the pages and mount it. */
  static async mount(lab: Lab): Promise<HugeFolder> {
    const lock = await Deno.open(LOCK, { write: true, create: true });
    await lock.lock(true);
    const pages = await reserveHugepages(MOUNT_BYTES / HUGEPAGE_BYTES);
    const folder = new HugeFolder(lab, pages, !exists(FOLDER), lock);
    Deno.mkdirSync(folder.path, { recursive: true });
    const options = `pagesize=2M,size=${MOUNT_BYTES}`;
    await lab.run("mount", "-t", "hugetlbfs", "-o", options, "none", folder.path);
    return folder;
  }

  /** What is in it. */
  get files(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab.tryRun("umount", "--lazy", this.path); // processes of a failed test end later
    Deno.removeSync(this.path);
    if (this.isNew) Deno.removeSync(FOLDER);
    await this.pages[Symbol.asyncDispose]();
    this.lock.close();
  }
}

/** Sizes of the pages, in KiB, of which a process's mappings of a file consist. */
export function pageSizes(pid: number, path: string): number[] {
  const mappings = Deno.readTextFileSync(`/proc/${pid}/smaps`).split(/^(?=[\da-f]+-[\da-f]+ )/m);
  return mappings.filter((mapping) => mapping.split("\n")[0].endsWith(path)).map((mapping) =>
    Number(/^KernelPageSize: +(\d+) kB$/m.exec(mapping)?.[1])
  );
}
