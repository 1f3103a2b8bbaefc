import type { Context, FrameFunction, OptionsSchema } from "culvert-net/function";
import { plainOptions, vlan } from "culvert-net/function";

/** `--set map=10:20,none:30`: VLAN 10 behind port 0 is VLAN 20 behind the others. */
export const options: OptionsSchema = plainOptions({ map: "" });

/** The number of a VLAN, or -1: the frame has no tag. */
function parseId(text: string): number {
  if (text === "none") return -1;
  if (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 4094) return Number(text);
  throw new TypeError(`Cannot use "${text}" as a VLAN: write 1 to 4094, or none`);
}

/** VLANs get other numbers, tags are added or taken away; frames of other VLANs are dropped. */
export function setup({ options }: Context<{ map: string }>): FrameFunction {
  const there = new Map<number, number>(), back = new Map<number, number>();
  for (const pair of options.map.split(",")) {
    const [from, to = ""] = pair.trim().split(":");
    there.set(parseId(from), parseId(to));
    back.set(parseId(to), parseId(from));
  }
  return (burst) => {
    const map = burst.port === 0 ? there : back;
    for (let i = 0; i < burst.count; i++) {
      const from = vlan.id(burst, i), to = map.get(from);
      if (to === undefined) burst.drop(i);
      else if (to === from) continue;
      else if (to < 0) vlan.pop(burst, i);
      else if (from >= 0) vlan.setId(burst, i, to);
      else if (!vlan.push(burst, i, to)) burst.drop(i);
    }
  };
}
