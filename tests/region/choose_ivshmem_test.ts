import { equal } from "node:assert/strict";
import { chooseOurs } from "../../app/region/choose_ivshmem.ts";
import { MAGIC } from "../../app/memory/layout.ts";

const OURS = [...MAGIC], FOREIGN = [0x4c474c47, 1], BLANK = [0, 0];

/** Which of the devices that have these first words is chosen: its number. */
function chosen(...contents: number[][]): number | undefined {
  const devices = contents.map((_, i) => ({
    address: `0000:00:0${i}.0`,
    bytes: 1 << 20,
    hasInterrupts: false,
    registersOffset: 0,
  }));
  const words = (device: typeof devices[number]) =>
    Uint32Array.from(contents[devices.indexOf(device)]);
  const device = chooseOurs(devices, words as never);
  return device && devices.indexOf(device as typeof devices[number]);
}

Deno.test("chooseOurs() takes the device that has a region, wherever it stands", () => {
  equal(chosen(FOREIGN, OURS), 1);
  equal(chosen(BLANK, FOREIGN, OURS, OURS), 2);
});

Deno.test("chooseOurs() takes one that is blank while none has a region: a host may come to it", () => {
  equal(chosen(FOREIGN, BLANK), 1);
});

Deno.test("chooseOurs() takes none if there are only others', but one that is alone as it is", () => {
  equal(chosen(FOREIGN, FOREIGN), undefined);
  equal(chosen(FOREIGN), 0);
  equal(chosen(), undefined);
});
