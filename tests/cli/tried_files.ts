import { CaptureReader } from "../../app/capture/capture_reader.ts";
import { tryCommand } from "../../app/cli/try_command.ts";
import { TRY } from "../../app/cli/tables/try.ts";
import { parsed } from "./tables.ts";

/** Drops ARP, tags UDP in headroom, sends TCP back, throws at frames of other protocols. */
const FUNCTION = `
export const options = { "~standard": { validate: (value: unknown) => ({ value }) } };
export function setup({ counter, options }) {
  const [seen, ttl] = [counter("seen"), Number(options.ttl ?? 64)];
  return (burst) => {
    for (let i = 0; i < burst.count; i++) {
      seen.add();
      if (burst.u16(i, 12) === 0x0806) burst.drop(i);
      else if (burst.u16(i, 12) !== 0x0800) throw new Error("what is this?");
      else if (burst.u8(i, 23) === 17) burst.prepend(i, 4);
      else if (burst.u8(i, 23) === 6) burst.sendTo(i, burst.port);
      else burst.setU8(i, 22, ttl);
    }
  };
}
`;

/** What a test of `culvert try` has. */
interface Files {
  readonly folder: string;
  readonly lines: string[];
  readonly said: string[];
  /** `culvert try my.ts` in the folder. */
  run(...args: string[]): Promise<number>;
  /** Ports, times and lengths of the frames of a capture. */
  read(name: string): { port: number; time: bigint; bytes: number; wireBytes: number }[];
}

/** A folder with a function, my.ts, and a capture, in.pcap. */
export async function inFolder(capture: Uint8Array, test: (files: Files) => Promise<void>) {
  const folder = Deno.makeTempDirSync({ dir: "/tmp" });
  const lines: string[] = [], said: string[] = [];
  try {
    Deno.writeTextFileSync(`${folder}/my.ts`, FUNCTION);
    Deno.writeFileSync(`${folder}/in.pcap`, capture);
    const inHere = (arg: string) =>
      /^[\w.]+\.(pcap|pcapng|ts)$/.test(arg) ? `${folder}/${arg}` : arg;
    const out = { line: (line: string) => void lines.push(line), flush: () => Promise.resolve() };
    await test({
      ...{ folder, lines, said },
      run: (...args) =>
        tryCommand(
          parsed(TRY, args.map(inHere)),
          out,
          (line) => void said.push(line),
          () => undefined,
        ),
      read(name) {
        using file = Deno.openSync(`${folder}/${name}`);
        const reader = new CaptureReader(file, name);
        const found = [];
        for (let one; (one = reader.next());) found.push({ ...one, bytes: one.bytes.length });
        return found;
      },
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
