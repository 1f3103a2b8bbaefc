import type { Context, FrameFunction, OptionsSchema } from "culvert-net/function";
import { ethernet, plainOptions } from "culvert-net/function";

/** Copies are made of frames that leave by several ports: the host lends mbufs for them. */
export const originates = true;

/** `--set ageing=300`: seconds after which a station that sends nothing is forgotten. */
export const options: OptionsSchema = plainOptions({ ageing: 300 });

/** Most stations that are known; frames to others leave by all ports. */
const STATIONS_MAX = 16_384;

/** Where a station is, and when it has last sent something, in milliseconds. */
interface Station {
  port: number;
  seen: number;
}

/** A switch (IEEE 802.1Q, 8.6 to 8.8) between all ports: the guest has one lcore. */
export function setup(context: Context<{ ageing: number }>): FrameFunction {
  const { ports, counter, every, options } = context;
  const stations = new Map<number, Station>();
  const lacking = counter("copies without mbuf");
  every(1000, () => {
    const oldest = context.now - options.ageing * 1000;
    for (const [mac, { seen }] of stations) if (seen < oldest) stations.delete(mac);
  });
  const learn = (mac: number, port: number, seen: number): void => {
    const known = stations.get(mac);
    if (known !== undefined) [known.port, known.seen] = [port, seen];
    else if (stations.size < STATIONS_MAX) stations.set(mac, { port, seen });
  };
  return (burst) => {
    const { port, count } = burst; // copies are added behind
    const now = context.now;
    for (let i = 0; i < count; i++) {
      burst.drop(i); // unless it is sent below
      if (burst.length(i) < 14) continue;
      if ((burst.u8(i, ethernet.SOURCE) & 1) === 0) learn(ethernet.source(burst, i), port, now);
      const to = stations.get(ethernet.destination(burst, i))?.port ?? -1;
      if (to >= 0 && to !== port) burst.sendTo(i, to);
      if (to >= 0) continue;
      let last = -1; // the last port gets the frame itself, the others get copies
      for (let other = 0; other < ports.length; other++) {
        if (other === port) continue;
        if (last >= 0 && !burst.copyTo(i, last)) lacking.add();
        last = other;
      }
      if (last >= 0) burst.sendTo(i, last);
    }
  };
}
