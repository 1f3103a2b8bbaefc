import type { Context } from "../function/context.ts";
import type { FrameBurst } from "../function/frame_burst.ts";
import type { FrameFunction } from "../function/function_module.ts";
import { ARP, arp } from "../headers/arp.ts";
import { icmp } from "../headers/icmp.ts";
import { ipv4 } from "../headers/ipv4.ts";

/** Answers go back by the port that the question came by. */
export const answers = true;

/**
 * testpmd `icmpecho`: ARP requests and ICMP echo requests, for whatever address they are, are
 * answered by the port that they came by; all else is dropped.
 */
export function setup({ ports }: Context): FrameFunction {
  return (burst) => {
    const { mac } = ports[burst.port];
    for (let i = 0; i < burst.count; i++) {
      if (!answerArp(burst, i, mac) && !answerEcho(burst, i)) burst.drop(i);
    }
  };
}

/** RFC 826: the target is the station that answers. */
function answerArp(burst: FrameBurst, i: number, mac: Uint8Array): boolean {
  const at = arp.at(burst, i);
  if (at < 0 || arp.operation(burst, i, at) !== ARP.REQUEST) return false;
  arp.reply(burst, i, at, mac);
  return true;
}

function answerEcho(burst: FrameBurst, i: number): boolean {
  const at = ipv4.at(burst, i);
  return at >= 0 && icmp.reply(burst, i, at);
}
