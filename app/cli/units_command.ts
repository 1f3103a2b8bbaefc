import { dirname, join } from "node:path";
import { CulvertError } from "../../ffi/error.ts";
import { stdout } from "../linux/output.ts";
import { installationFolder } from "./installation.ts";
import type { Parsed } from "./options.ts";
import type { UNITS } from "./tables/units.ts";
import { unitFiles } from "./unit_files.ts";

/** Letters that systemd takes as they are in the path of a program. */
const PLAIN = /^[\w./@+-]+$/;

/** `culvert units`: returns the exit status. */
export function unitsCommand({ values: { to, list } }: Parsed<typeof UNITS>): number {
  const program = `${installationFolder("write units")}bin/culvert`;
  if (!PLAIN.test(program)) {
    throw new CulvertError(
      `Cannot write units as ${program} has letters that systemd reads otherwise: install into a ` +
        "folder such as /usr/local",
    );
  }
  for (const [path, text] of unitFiles(program)) {
    const file = join(to, path);
    if (list) stdout.line(`# ${file}\n${text}`);
    else {
      Deno.mkdirSync(dirname(file), { recursive: true });
      Deno.writeTextFileSync(file, text);
      stdout.line(file);
    }
  }
  return 0;
}
