/**
 * Writes "newc" cpio archives, the format that Linux unpacks as its initial RAM file system (see
 * `Documentation/driver-api/early-userspace/buffer-format.rst` in the kernel).
 *
 * Output depends on the entries alone: no times, owners or inode numbers of the machine that writes
 * it.
 *
 * @module
 */

const HEADER_BYTES = 110;
const S_IFDIR = 0o040000;
const S_IFREG = 0o100000;
const S_IFLNK = 0o120000;

/** One file, directory or symbolic link of an archive. */
export interface CpioEntry {
  /** Path inside the archive, without a leading slash. */
  path: string;
  /** File type and permission bits, as in `st_mode`. */
  mode: number;
  /** The file's bytes, or the link's target; empty for a directory. */
  content: Uint8Array;
}

/** A regular file; `executable` gives it mode 755 instead of 644. */
export function cpioFile(
  path: string,
  content: Uint8Array | string,
  executable = false,
): CpioEntry {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return { path, mode: S_IFREG | (executable ? 0o755 : 0o644), content: bytes };
}

/** A symbolic link at `path` that points to `target`. */
export function cpioLink(path: string, target: string): CpioEntry {
  return { path, mode: S_IFLNK | 0o777, content: new TextEncoder().encode(target) };
}

/** A directory with mode 755. */
export function cpioDirectory(path: string): CpioEntry {
  return { path, mode: S_IFDIR | 0o755, content: new Uint8Array(0) };
}

/**
 * Encodes an archive piece by piece, so that a 100 MB file is never copied. Missing parent
 * directories are added: the kernel does not create them.
 *
 * @throws {RangeError} If a path is absolute, or a file holds 4 GiB or more.
 */
export function* encodeCpio(entries: Iterable<CpioEntry>): Generator<Uint8Array<ArrayBufferLike>> {
  let inode = 1;
  for (const entry of withParents(entries)) {
    yield header(entry, inode++);
    yield entry.content;
    yield new Uint8Array(padding(entry.content.length));
  }
  yield header({ path: "TRAILER!!!", mode: 0, content: new Uint8Array(0) }, 0);
}

function* withParents(entries: Iterable<CpioEntry>): Generator<CpioEntry> {
  const seen = new Set<string>();
  for (const entry of entries) {
    if (entry.path.startsWith("/")) {
      throw new RangeError(`Cannot archive ${entry.path} as it is absolute: drop the first slash`);
    }
    for (let end = entry.path.indexOf("/"); end > 0; end = entry.path.indexOf("/", end + 1)) {
      const parent = entry.path.slice(0, end);
      if (!seen.has(parent)) yield cpioDirectory(parent);
      seen.add(parent);
    }
    if (seen.has(entry.path) && (entry.mode & S_IFDIR)) continue;
    seen.add(entry.path);
    yield entry;
  }
}

/**
 * The fixed header, the name and its terminator, padded to 4 bytes: eight hexadecimal digits per
 * field.
 */
function header(entry: CpioEntry, inode: number): Uint8Array {
  const name = new TextEncoder().encode(entry.path + "\0");
  const size = entry.content.length;
  if (size > 0xffffffff) {
    throw new RangeError(
      `Cannot archive ${entry.path} as it has ${size} bytes: cpio holds 4 GiB - 1`,
    );
  }
  const [owner, links, time, device, checksum] = [0, 1, 0, 0, 0];
  const fields = [inode, entry.mode, owner, owner, links, time, size];
  fields.push(device, device, device, device, name.length, checksum);
  const text = "070701" + fields.map((field) => field.toString(16).padStart(8, "0")).join("");
  const bytes = new Uint8Array(HEADER_BYTES + name.length + padding(HEADER_BYTES + name.length));
  bytes.set(new TextEncoder().encode(text));
  bytes.set(name, HEADER_BYTES);
  return bytes;
}

function padding(length: number): number {
  return -length & 3;
}
