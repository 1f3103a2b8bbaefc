import type { Burst, Context, FrameFunction, OptionsSchema } from "culvert-net/function";
import { ARP, arp, icmp, ipv4, parseIpv4, plainOptions } from "culvert-net/function";

/** `--set address=192.0.2.2`: the address that is answered for. */
export const options: OptionsSchema = plainOptions({ address: "192.0.2.2" });

/** ARP and ICMP echo requests for an address are answered; all else goes on. */
export function setup({ ports, options }: Context<{ address: string }>): FrameFunction {
  const address = parseIpv4(options.address);
  const answerArp = (burst: Burst, i: number): boolean => {
    const at = arp.at(burst, i);
    if (at < 0 || arp.operation(burst, i, at) !== ARP.REQUEST) return false;
    if (arp.targetIp(burst, i, at) !== address) return false;
    arp.reply(burst, i, at, ports[burst.port].mac);
    return true;
  };
  const answerEcho = (burst: Burst, i: number): boolean => {
    const at = ipv4.at(burst, i);
    return at >= 0 && ipv4.destination(burst, i, at) === address && icmp.reply(burst, i, at);
  };
  return (burst) => {
    for (let i = 0; i < burst.count; i++) {
      if (answerArp(burst, i) || answerEcho(burst, i)) burst.sendTo(i, burst.port);
    }
  };
}
