import { decodeRegion } from "../../app/inspect/decode.ts";
import { COUNTER_KEYS } from "../../app/inspect/decode_channel.ts";
import { findRegion, type FoundRegion } from "../../app/inspect/find_region.ts";
import { COUNTER, DROPS } from "../../app/port/counters.ts";
import type { Lab } from "../kit/lab.ts";

/** The interfaces of two ports: the host has `tap` and `outer`; frames are sent on `tap` and on `inner`. */
interface Ports {
  readonly tap: string;
  readonly inner: string;
  readonly outer: string;
}

const SOUND: Ports = { tap: "tap0", inner: "inner0", outer: "outer0" };
const ATTACKED: Ports = { tap: "tap1", inner: "inner1", outer: "outer1" };

/** Longer than what the host may send: it is the host that must keep to its limit, not the kernel. */
const ATTACKED_MTU = 9000;

/** Few, so that the last one, behind which the canaries begin, is often in an attacker's hands. */
const ATTACKED_MBUFS = 256;

/** Keys in a region report of what is counted of frames that do not come through. */
const LOST_KEYS = [COUNTER.MISSED, ...DROPS.map(({ counter }) => counter)]
  .map((counter) => COUNTER_KEYS.get(counter)!);

/** Where a siege takes place: a network namespace with the interfaces, and the names of both regions. */
export class SiegeGround implements Disposable {
  /** The region of the sound guest, guest 0. */
  readonly sound: string;
  /** The region of the attackers: guest 0 has a TAP, guest 1 a veth. */
  readonly attacked: string;
  /** Where frames of the sound guest are sent and arrive. */
  readonly soundLinks = [SOUND.tap, SOUND.inner];
  /** Where frames of the attackers arrive. */
  readonly attackedLinks = [ATTACKED.tap, ATTACKED.inner];
  #soundRegion?: FoundRegion;

  private constructor(private readonly lab: Lab, readonly netns: string) {
    this.sound = lab.newRegion();
    this.attacked = lab.newRegion();
  }

  /** Interfaces alone; no process runs yet. */
  static async open(lab: Lab): Promise<SiegeGround> {
    const netns = await lab.namespace({ quiet: true });
    await lab.inNamespace(netns, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1");
    const ip = (...args: string[]) => lab.run("ip", "-n", netns, ...args);
    for (const [{ tap, inner, outer }, mtu] of [[SOUND, 1500], [ATTACKED, ATTACKED_MTU]] as const) {
      await ip("tuntap", "add", tap, "mode", "tap");
      await ip("link", "add", outer, "type", "veth", "peer", "name", inner);
      for (const link of [tap, inner, outer]) {
        await ip("link", "set", link, "mtu", `${mtu}`, "up");
      }
    }
    return new SiegeGround(lab, netns);
  }

  /** What a host is to be told: nobody is ever shut out, so that the attack goes on. */
  get hostArgs(): string[] {
    return [
      ...["--region", this.sound, "--port", `tap:${SOUND.tap}`, "--port", `packet:${SOUND.outer}`],
      ...["--region", this.attacked, "--size", "8M", "--mbufs", `${ATTACKED_MBUFS}`],
      ...["--ring-size", "256", "--port", `tap:${ATTACKED.tap}`],
      ...["--guest", "1", "--port", `packet:${ATTACKED.outer}`, "--quarantine-after", "0"],
    ];
  }

  /** The host is there: look into the sound guest's region from now on. */
  look(): void {
    this.#soundRegion = findRegion(this.sound);
  }

  /** Frames of the sound guest that the host has counted as lost. */
  counted(): number {
    const { channels } = decodeRegion(this.#soundRegion!.memory);
    return channels.flatMap(({ counters }) => LOST_KEYS.map((key) => counters[key] ?? 0))
      .reduce((sum, frames) => sum + frames, 0);
  }

  /** Frames that the kernel counts as dropped on the sound guest's interfaces. */
  async kernelDropped(): Promise<number> {
    const { stdout } = await this.lab.run("ip", "-n", this.netns, "-s", "-json", "link");
    const links: { ifname: string; stats64: { rx: { dropped: number } } }[] = JSON.parse(stdout);
    return links.filter(({ ifname }) => Object.values(SOUND).includes(ifname))
      .reduce((sum, { stats64: { rx } }) => sum + rx.dropped, 0);
  }

  [Symbol.dispose](): void {
    this.#soundRegion?.memory.close();
  }
}
