/** Functions for `culvert push`. */
const HELPER = `import type { Burst, Context } from "culvert-net/function";
interface Named { readonly name: string }

export function countedBy({ counter }: Context, name: Named["name"]) {
  const frames = counter(name);
  return (burst: Burst) => {
    if (name === "wrong" && burst.count > 0) throw new Error("no such rule");
    frames.add(burst.count);
  };
}
`;

/** A folder with functions that are pushed, and with what they import. */
export class PushedFiles implements Disposable {
  readonly folder: string = Deno.makeTempDirSync({ prefix: "culvert-push" });

  constructor() {
    this.write("helper.ts", HELPER);
  }

  /** Write a file; returns its path. */
  write(name: string, text: string): string {
    Deno.writeTextFileSync(`${this.folder}/${name}`, text);
    return `${this.folder}/${name}`;
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.folder, { recursive: true });
  }
}

/** A function that logs who it is, and counts by `helper.ts`. */
export function saying(word: string): string {
  return `import type { Burst, Context } from "culvert-net/function";
import { countedBy } from "./helper.ts";
export function setup(context: Context) {
  context.log("this is ${word}");
  return countedBy(context, "${word}");
}
`;
}
