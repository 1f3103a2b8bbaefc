import { CulvertError, UsageError } from "../../ffi/error.ts";
import { type Filter, filterOf } from "./bpf.ts";

/**
 * Compile a filter of libpcap's language (pcap-filter(7)) for Ethernet, by running tcpdump, which
 * has libpcap's own compiler.
 *
 * @throws {UsageError} if tcpdump refuses it.
 * @throws {CulvertError} if there is no tcpdump.
 */
export function compileFilter(text: string): Filter {
  const { code, stdout, stderr } = tcpdump(["-y", "EN10MB", "-ddd", "--", text]);
  const decoder = new TextDecoder();
  if (code !== 0) {
    const said = decoder.decode(stderr).trim().split("\n").at(-1)!.replace(/^tcpdump: /, "");
    throw new UsageError(`Cannot use the filter "${text}" as tcpdump says: ${said}`);
  }
  const [count, ...lines] = decoder.decode(stdout).trim().split("\n");
  const program = lines.map((line) => {
    const [code, jt, jf, k] = line.split(" ").map(Number);
    return { code, jt, jf, k };
  });
  if (program.length !== Number(count)) {
    throw new CulvertError(
      `Cannot use the filter "${text}" as tcpdump printed ${program.length} of ${count} instructions`,
    );
  }
  return filterOf(program);
}

function tcpdump(args: string[]): Deno.CommandOutput {
  try {
    return new Deno.Command("tcpdump", { args, stdout: "piped", stderr: "piped" }).outputSync();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new CulvertError(
      "Cannot compile a filter as there is no tcpdump: install it (apt-get install tcpdump), or " +
        "capture all and filter in Wireshark",
    );
  }
}
