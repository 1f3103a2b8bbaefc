import { deepEqual, equal, throws } from "node:assert/strict";
import { decodePushed, encodePushed, placeOf } from "../../app/guest/pushed_function.ts";

const pushed = (name: string, position = 0) => ({ name, position, text: "" });

Deno.test("decodePushed() reads what encodePushed() writes", () => {
  const all = { name: "my.ts", position: 2, set: { rate: "5" }, text: "export default () => {};" };
  deepEqual(decodePushed(encodePushed(all)), all);
  deepEqual(decodePushed(encodePushed({ ...all, set: undefined })).set, undefined);
});

const GARBAGE = [
  ...["", "null", "[]", "7", '"my.ts"', "{", '{"name":"a"}', "\xff\xfe"],
  ...['{"name":1,"position":0,"text":""}', '{"name":"a","position":"1","text":""}'],
  ...['{"name":"a","position":0.5,"text":""}', '{"name":"a","position":0,"text":[]}'],
  ...[
    '{"name":"a","position":0,"text":"","set":3}',
    '{"name":"a","position":0,"text":"","set":[]}',
  ],
  '{"name":"a","position":0,"text":"","set":{"a":1}}',
];

for (const text of GARBAGE) {
  Deno.test(`decodePushed() refuses ${JSON.stringify(text)}`, () => {
    throws(() => decodePushed(new TextEncoder().encode(text)), {
      message: /^Cannot use what was pushed as it is no function: /,
    });
  });
}

Deno.test("placeOf() finds the only function, the one of the same name, or the one at a position", () => {
  equal(placeOf(pushed("my.ts"), ["l2fwd"]), 0);
  equal(placeOf(pushed("my.ts"), ["./acl.ts", "./x/my.ts", "nat"]), 1);
  equal(placeOf(pushed("my.ts"), ["acl", "my"]), 1, "as a VM's image calls it");
  equal(placeOf(pushed("my.ts", 3), ["acl", "my", "nat"]), 2);
});

Deno.test("placeOf() says what the chain is if it cannot tell which function is meant", () => {
  throws(() => placeOf(pushed("my.ts"), ["acl", "./nat.ts"]), {
    message: "Cannot take my.ts as the guest's chain is acl | nat: say which it replaces, by " +
      "--position 1 to 2",
  });
  throws(() => placeOf(pushed("my.ts"), ["my", "my"]), /say which it replaces/);
  throws(() => placeOf(pushed("my.ts", 3), ["acl", "nat"]), {
    message: "Cannot take my.ts as the guest's chain is acl | nat: --position 1 to 2 is wanted, " +
      "not 3",
  });
});
