import type { Context, FrameFunction, OptionsSchema } from "culvert-net/function";
import { formatIpv4, ipv4, plainOptions, PROTOCOL, tcp, TCP_FLAG } from "culvert-net/function";

/** `--set seconds=10`: seconds from one log of the ten sources with the most SYNs to the next. */
export const options: OptionsSchema = plainOptions({ seconds: 10 });

/** Most sources that are told apart, and that are logged. */
const SOURCES_MAX = 65_536, TOP = 10;

/** Counts TCP connections that are asked for, and logs the sources that ask for most. */
export function setup(
  { options, counter, every, log }: Context<{ seconds: number }>,
): FrameFunction {
  const all = counter("TCP SYN"), others = counter("TCP SYN of others");
  const counts = new Map<number, number>();
  every(options.seconds * 1000, () => {
    const top = [...counts].sort(([, a], [, b]) => b - a).slice(0, TOP);
    if (top.length > 0) {
      log(`TCP SYN: ${top.map(([from, count]) => `${formatIpv4(from)} ${count}`).join(", ")}`);
    }
    counts.clear();
  });
  return (burst) => {
    for (let i = 0; i < burst.count; i++) {
      const at = ipv4.at(burst, i);
      if (at < 0 || ipv4.transport(burst, i, at) !== PROTOCOL.TCP) continue;
      const flags = tcp.flags(burst, i, ipv4.payload(burst, i, at));
      if ((flags & (TCP_FLAG.SYN | TCP_FLAG.ACK)) !== TCP_FLAG.SYN) continue;
      all.add();
      const source = ipv4.source(burst, i, at) | 0;
      const count = counts.get(source);
      if (count !== undefined || counts.size < SOURCES_MAX) counts.set(source, (count ?? 0) + 1);
      else others.add();
    }
  };
}
