import { fileURLToPath } from "node:url";
import type { NetworkEnd } from "./kernel_traffic.ts";
import type { Lab, Running } from "./lab.ts";

const PROGRAM = ["/usr/bin/python3", fileURLToPath(new URL("udp_flows.py", import.meta.url))];

/** What has come of numbered datagrams: see udp_flows.py. */
export interface FlowsReport {
  readonly received: number;
  /** Datagrams that came behind one of their flow that was sent later, or again. */
  readonly late: number;
  /** Datagrams that have not come though a later one of their flow has. */
  readonly missing: number;
  readonly flows: number;
}

/** Where numbered datagrams of many flows arrive. */
export class UdpFlows {
  private constructor(
    private readonly lab: Lab,
    private readonly to: NetworkEnd,
    private readonly receiver: Running,
  ) {}

  /** Receive at an end from now on. */
  static async to(lab: Lab, to: NetworkEnd): Promise<UdpFlows> {
    const receiver = lab.start("ip", "netns", "exec", to.netns, ...PROGRAM, "receive", to.ip4);
    await receiver.stdoutLine(/^READY/);
    return new UdpFlows(lab, to, receiver);
  }

  /**
   * Send `count` datagrams of each flow, `rate` a second in all, with numbers from `first` on;
   * settles when all are sent.
   */
  async send(
    from: NetworkEnd,
    flows: number,
    count: number,
    rate: number,
    first = 0,
  ): Promise<void> {
    const words = ["send", this.to.ip4, ...[flows, count, rate, first].map(String)];
    // One core, or the sender's own kernel changes the order.
    await this.lab.inNamespace(from.netns, "taskset", "-c", "0", ...PROGRAM, ...words);
  }

  /** What has come by now. */
  async report(): Promise<FlowsReport> {
    await this.receiver.write("");
    return JSON.parse((await this.receiver.stdoutLine(/^R /)).slice(2));
  }
}
