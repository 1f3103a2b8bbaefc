import { deepEqual, equal } from "node:assert/strict";
import { check } from "../../ffi/error.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { dataWord } from "../../app/mempool/mbuf.ts";
import { freshMemory } from "../ffi/fresh_memory.ts";
import { Network } from "../kit/network.ts";

/** Frames of a burst: more than one system call takes, which are 32. */
const FRAMES = 40;

const MBUFS = 2 * FRAMES, STRIDE = 256, CELLS = 1 << 16;
/** Descriptors: those of frames to send, and those of mbufs to receive into. */
const SENT = 0, RECEIVED = 2 * FRAMES;
const ETHERTYPE = [0x88, 0xb5];
const EINVAL = 22, EBADFD = 77;

/** `TX_ZEROS`, `RX_HAS_HEADERS`, `RX_NONE` and `TX_REFUSED` in shim/burst.h. */
const ZERO_HEADERS = -2, HAS_HEADERS = 1 << 24, NO_FRAME = 0xfffffffe, REFUSED = 0x80000000;

/** `struct rx_room` there: meta of 256 frames, and behind them the overflow of each of ours. */
const ROOM_BYTES = 4096 + FRAMES * (1 << 18);

/** How many frames an interface has received. */
async function receivedBy(network: Network, name: string): Promise<number> {
  const { stdout } = await network.run("ip", "-s", "-j", "link", "show", "dev", name);
  return JSON.parse(stdout)[0].stats64.rx.packets;
}

Deno.test("A burst goes by a TAP in order, but for frames that the kernel refuses", async () => {
  await using network = new Network();
  const names = [network.name("tap"), network.name("tap")];
  using fds = new DisposableStack();
  const [near, far] = names.map((name) => {
    const fd = check(shim.shim_tap_open(cString(name), 0), `open TAP ${name}`);
    fds.defer(() => shim.shim_fd_close(fd));
    return fd;
  });
  const bridge = network.name("br");
  await network.run("ip", "link", "add", bridge, "type", "bridge", "mcast_snooping", "0");
  fds.defer(() => new Deno.Command("ip", { args: ["link", "delete", bridge] }).outputSync());
  for (const name of [...names, bridge]) {
    await network.run("ip", "link", "set", name, "addrgenmode", "none");
    if (name !== bridge) await network.run("ip", "link", "set", name, "master", bridge);
    await network.run("ip", "link", "set", name, "up");
  }
  using memory = freshMemory(CELLS + MBUFS * STRIDE);
  using room = freshMemory(ROOM_BYTES);
  equal(shim.shim_map_cells(memory.map, BigInt(CELLS), STRIDE, MBUFS), 0);
  /** Frames with their numbers; those in `short` are shorter than a header. */
  const describe = (short: readonly number[]) => {
    for (let i = 0; i < FRAMES; i++) {
      memory.u8.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, ...ETHERTYPE, i], CELLS + i * STRIDE + 64);
      memory.u32.set([i, dataWord(64, short.includes(i) ? 10 : 60)], SENT + 2 * i);
    }
  };
  const send = (at: number, count: number) =>
    shim.shim_tap_tx(near, memory.map, memory.map, SENT + 2 * at, count, ZERO_HEADERS);
  const order = () => Array.from({ length: FRAMES }, (_, i) => memory.u32[SENT + 2 * i]);
  const all = Array.from({ length: FRAMES }, (_, i) => i);
  /** The numbers of the frames that come out at the far end. */
  const receive = async () => {
    const found: number[] = [];
    for (let empty = 0; empty < 20;) {
      for (let i = 0; i < FRAMES; i++) {
        memory.u32.set([FRAMES + i, dataWord(64, 128)], RECEIVED + 2 * i);
      }
      const [at, count] = [RECEIVED, FRAMES | HAS_HEADERS];
      const n = check(
        shim.shim_tap_rx(far, memory.map, memory.map, at, room.map, count),
        "receive from the TAP",
      );
      for (let i = 0; i < n; i++) {
        if (room.u32[4 * i] === NO_FRAME) continue;
        const byte = CELLS + (FRAMES + i) * STRIDE + 64;
        const isOurs = memory.u8[byte + 12] === ETHERTYPE[0] && memory.u8[byte + 13] === 0xb5;
        if (isOurs) found.push(memory.u8[byte + 14]);
      }
      if (n === 0) empty++;
      await new Promise((resolve) => setTimeout(resolve, n === 0 ? 10 : 0));
    }
    return found;
  };
  await receive(); // what the kernel has to say when a bridge begins

  describe([]);
  equal(send(0, FRAMES), FRAMES);
  deepEqual(order(), all);
  deepEqual(await receive(), all);

  describe([7, 20]);
  equal(send(0, FRAMES), 32 | EINVAL << 16);
  deepEqual(order(), all.map((i) => i === 7 || i === 20 ? (i | REFUSED) >>> 0 : i));
  equal(send(32, 8), 8);
  const good = all.filter((i) => i !== 7 && i !== 20);
  deepEqual(await receive(), good);
  describe([30, 31, 32]);
  equal(send(0, FRAMES), 30, "the last ones of a call");
  equal(send(30, 2), -EINVAL);
  deepEqual(order(), all);
  equal(await receivedBy(network, names[0]), FRAMES + good.length + 30);

  await network.run("ip", "link", "delete", names[0]);
  describe([]);
  equal(send(0, FRAMES), -EBADFD);
  deepEqual(order(), all);
});
