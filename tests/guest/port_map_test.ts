import { deepEqual, throws } from "node:assert/strict";
import { pairPorts, parsePortMask } from "../../app/guest/port_map.ts";

for (
  const [mask, count, enabled] of [
    [undefined, 3, [0, 1, 2]],
    ["1", 1, [0]],
    ["3", 2, [0, 1]],
    ["0x5", 3, [0, 2]],
    ["0XE", 4, [1, 2, 3]],
    ["f", 8, [0, 1, 2, 3]],
    ["80000001", 32, [0, 31]],
    ["ffffffff", 32, Array.from({ length: 32 }, (_, port) => port)],
    ["00000002", 2, [1]],
  ] as const
) {
  Deno.test(`parsePortMask(${mask}) of ${count} ports enables ${enabled.join(", ")}`, () => {
    deepEqual(parsePortMask(mask, count), enabled);
  });
}

for (const mask of ["", "0x", "g", "-1", "1,2", " 3", "100000000", "0x0x3"]) {
  Deno.test(`parsePortMask("${mask}") is refused, as it is no mask`, () => {
    throws(() => parsePortMask(mask, 4), {
      name: "UsageError",
      message: `Cannot use -p ${mask} as it is no hexadecimal mask: write 3 or 0x3`,
    });
  });
}

for (const [mask, count] of [["0", 4], ["10", 4], ["1f", 4], ["ffffffff", 31]] as const) {
  Deno.test(`parsePortMask("${mask}") of ${count} ports is refused: none, or one beyond`, () => {
    throws(() => parsePortMask(mask, count), {
      name: "UsageError",
      message: `Cannot use -p ${mask} as the region has ${count} ports: a mask from 1 to ${
        (2 ** count - 1).toString(16)
      } is wanted`,
    });
  });
}

for (
  const [enabled, map] of [
    [[0], [[0, 0]]],
    [[0, 1], [[0, 1], [1, 0]]],
    [[0, 1, 2], [[0, 1], [1, 0], [2, 2]]],
    [[1, 4, 5, 7], [[1, 4], [4, 1], [5, 7], [7, 5]]],
  ] as [number[], [number, number][]][]
) {
  Deno.test(`pairPorts() pairs neighbours of ${enabled.join(", ")}, an odd one with itself`, () => {
    deepEqual(pairPorts(enabled), new Map(map));
  });
}

for (
  const [text, map] of [
    ["(0,1)", [[0, 1], [1, 0]]],
    ["(0,3)(2,1)", [[0, 3], [3, 0], [2, 1], [1, 2]]],
    ["( 0 , 1 ), (2,3)", [[0, 1], [1, 0], [2, 3], [3, 2]]],
    ["(2,2)", [[2, 2]]],
  ] as [string, [number, number][]][]
) {
  Deno.test(`pairPorts() reads the map ${text}`, () => {
    deepEqual(pairPorts([0, 1, 2, 3], text), new Map(map));
  });
}

for (const text of ["", "0,1", "(0,1", "(0)", "(0,1,2)", "(a,b)", "(0,1);(2,3)", "(0,-1)", ","]) {
  Deno.test(`pairPorts() refuses the map "${text}", which is none`, () => {
    throws(() => pairPorts([0, 1, 2, 3], text), {
      name: "UsageError",
      message: `Cannot use --portmap ${text} as it is no map of ports: write "(0,1)(2,3)"`,
    });
  });
}

Deno.test("pairPorts() refuses a map of ports that are not enabled", () => {
  for (const text of ["(0,2)", "(2,0)"]) {
    throws(() => pairPorts([0, 1, 3], text), {
      name: "UsageError",
      message: `Cannot use --portmap ${text} as port 2 is not enabled: 0, 1, 3 are`,
    });
  }
});

Deno.test("pairPorts() refuses a map that has a port in two pairs", () => {
  for (const text of ["(0,1)(1,2)", "(0,1)(2,0)", "(1,1)(1,1)"]) {
    throws(() => pairPorts([0, 1, 2], text), {
      name: "UsageError",
      message: /^Cannot use --portmap .* as port \d is in two pairs$/,
    });
  }
});
