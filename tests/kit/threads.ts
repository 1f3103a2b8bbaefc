/**
 * What the kernel says of each thread of a process.
 *
 * @module
 */

/** The privileges of one thread, as /proc has them. */
export interface ThreadPrivileges {
  /** Its name. */
  readonly name: string;
  /** Real, effective, saved and file system user. */
  readonly users: number[];
  /** Real, effective, saved and file system group. */
  readonly groups: number[];
  /** Inheritable, permitted, effective and ambient capabilities together. */
  readonly capabilities: bigint;
  /** Those that a program which it starts could get, were it not for no_new_privs. */
  readonly bounding: bigint;
  /** no_new_privs. */
  readonly hasNoNew: boolean;
}

/** All threads of a process. */
export function threadsOf(pid: number): ThreadPrivileges[] {
  return [...Deno.readDirSync(`/proc/${pid}/task`)].flatMap(({ name: thread }) => {
    let text;
    try {
      text = Deno.readTextFileSync(`/proc/${pid}/task/${thread}/status`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return []; // it has just ended
      throw error;
    }
    const word = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)![1];
    const set = (name: string) => BigInt(`0x${word(name)}`);
    return [{
      name: word("Name"),
      users: word("Uid").split("\t").map(Number),
      groups: word("Gid").split("\t").map(Number),
      capabilities: set("CapPrm") | set("CapEff") | set("CapInh") | set("CapAmb"),
      bounding: set("CapBnd"),
      hasNoNew: word("NoNewPrivs") === "1",
    }];
  });
}
