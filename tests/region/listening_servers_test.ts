import { deepEqual } from "node:assert/strict";
import { parseListening } from "../../app/region/listening_servers.ts";

const HEAD = "Num       RefCount Protocol Flags    Type St Inode Path\n";

Deno.test("parseListening() finds the names of regions whose servers listen, in order", () => {
  const text = HEAD +
    "0000000000000000: 00000002 00000000 00010000 0001 01 19922 /run/culvert/red.sock\n" +
    "0000000000000000: 00000003 00000000 00000000 0001 03 19923 /run/culvert/red.sock\n" +
    "0000000000000000: 00000002 00000000 00010000 0001 01 19924 /run/culvert/blue.sock\n" +
    "0000000000000000: 00000002 00000000 00010000 0001 01 19925 /run/other.sock\n" +
    "0000000000000000: 00000002 00000000 00010000 0001 01 19926 /run/culvert/x.lock\n" +
    "0000000000000000: 00000002 00000000 00010000 0001 01 19927 @/tmp/abstract\n" +
    "0000000000000000: 00000003 00000000 00000000 0001 03 19928\n";
  deepEqual(parseListening(text, "/run/culvert", ".sock"), [
    { path: "blue", inode: 19924 },
    { path: "red", inode: 19922 },
  ]);
});

Deno.test("parseListening() finds nothing in a table of no sockets", () => {
  deepEqual(parseListening(HEAD, "/run/culvert", ".sock"), []);
});
