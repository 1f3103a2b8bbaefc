/** Where tests make files: its path is short, for that of a socket has room for 107 bytes. */
const PARENT = "/tmp";

const states = (["read", "write"] as const).map((name) =>
  Deno.permissions.querySync({ name, path: PARENT }).state
);
const ignore = states.some((state) => state !== "granted");

/** A test that makes files. It is ignored where it may not; `deno task unit` is such a place. */
export function fileTest(name: string, fn: () => void): void {
  Deno.test({ name, ignore, fn });
}

/** A folder of one test: `using folder = new Folder()` removes it with all that is in it. */
export class Folder implements Disposable {
  /** Its path. */
  readonly path: string = Deno.makeTempDirSync({ dir: PARENT, prefix: "culvert-test-" });

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
