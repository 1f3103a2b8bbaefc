import { equal } from "node:assert/strict";
import { receiversAt } from "../../app/linux/packet_sockets.ts";

const SOCKETS = `sk               RefCnt Type Proto  Iface R Rmem   User   Inode
ffff8881041d2000 3      3    0003   4     1 0      0      43107
ffff8881041d2800 3      3    0000   4     0 0      0      43108
ffff8881041d3000 3      2    0003   4     1 0      0      43109
ffff8881041d3800 3      3    0800   4     1 0      0      43110
ffff8881041d4000 3      3    0003   44    1 0      0      43111
ffff8881041d4800 3      3    0003   4     1 0      1000   43112
`;

Deno.test("receiversAt() counts the sockets that receive all frames of one interface", () => {
  equal(receiversAt(4, SOCKETS), 2);
  equal(receiversAt(44, SOCKETS), 1);
  equal(receiversAt(5, SOCKETS), 0);
});
