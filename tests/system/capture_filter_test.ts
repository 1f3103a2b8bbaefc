/**
 * Filters as functions against tcpdump itself.
 *
 * @module
 */
import assert from "node:assert/strict";
import type { CapturedFrame } from "../../app/capture/capture.ts";
import { CaptureReader } from "../../app/capture/capture_reader.ts";
import { CaptureWriter } from "../../app/capture/capture_writer.ts";
import { compileFilter } from "../../app/capture/tcpdump_filter.ts";
import { Programs } from "../kit/programs.ts";
import { Random } from "../kit/random.ts";

const FILTERS = [
  ...["", "ip", "ip6", "arp", "tcp", "udp", "icmp", "icmp6", "vlan", "vlan 100", "vlan and tcp"],
  ...["tcp port 443", "not tcp port 443", "udp portrange 50-60", "port 53 or port 443"],
  ...["host 10.0.0.1", "src host 10.0.0.2", "net 10.0.0.0/30", "dst net 10.0.0.0/31 and tcp"],
  ...["ether host 02:00:00:00:00:01", "ether src 02:00:00:00:00:02", "ether broadcast"],
  ...["greater 100", "less 60", "len > 80 and len < 200", "len & 1 = 1", "len * 3 % 7 == 2"],
  ...["tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "tcp[13] = 2", "ip[8] < 64", "icmp[0] = 8"],
  ...["ip[0] & 0xf > 5", "ip[6:2] & 0x1fff != 0", "ip6[6] = 6", "ether[0] & 1 = 1"],
  ...["ip proto 17 and len / 4 > 20", "ip6 host fd00::1", "ip6 net fd00::/64", "icmp6[0] = 135"],
  ...["tcp[4:4] >> 3 & 0xff = 5", "tcp[4:4] << 1 > 0x80000000", "ip[2:2] - 20 > 40"],
  ...[
    "ip[2:2] ^ 0xff00 = 0xff28",
    "-ip[8] < -10",
    "ether[14 + (ether[14] & 15)] = 0",
    "ip6 protochain 6",
  ],
  ...["udp[8:4] = 0x01020304 or tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420"],
  ...["mpls", "pppoes", "ip multicast", "ether proto 0x88b5", "vlan 100 and vlan 200", "len = 60"],
];

/** A frame of any kind, and sometimes of none. */
function randomFrame(random: Random): Uint8Array<ArrayBuffer> {
  const pick = (...words: string[]) => random.pick(words);
  const u = (value: number, bytes: number) => value.toString(16).padStart(2 * bytes, "0");
  const mac = pick("020000000001", "020000000002") + pick("020000000001", "020000000002");
  const port = () => u(random.pick([443, 53, 55, 80]), 2);
  const tags = pick("", "", "", "81000064", "810000c8", "88a800c881000064");
  const payload = pick("", "01020304", "474554202f", "00".repeat(random.below(200)));
  const tcp = port() + port() + u(random.below(2 ** 31), 4) + "00000000" +
    pick("50", "60") + pick("02", "10", "11", "18") + "ffff00000000" + payload;
  const udp = port() + port() + u(8 + payload.length / 2, 2) + "0000" + payload;
  const icmp = pick("08000000", "00000000") + "00010001" + payload;
  const inner: Record<string, string> = { "06": tcp, "11": udp, "01": icmp, "3a": "8700" + icmp };
  const kind = pick(...Object.keys(inner));
  const options = pick("", "", "01010101", "0101010101010101");
  const ip4 = u(0x45 + options.length / 8, 1) + "00" +
    u(20 + options.length / 2 + inner[kind].length / 2, 2) + "0000" +
    pick("4000", "4000", "2000", "0010") + pick("40", "01", "ff") + kind + "0000" +
    pick("0a000001", "0a000002", "0a000003") + pick("0a000001", "e0000001") + options + inner[kind];
  const ip6 = "60000000" + u(inner[kind].length / 2, 2) + kind + "40" +
    pick("fd00", "fd01") + "0".repeat(27) + "1" + "fd00" + "0".repeat(27) + "2" + inner[kind];
  const body = pick(
    ...["0800" + ip4, "0800" + ip4, "86dd" + ip6, "86dd" + ip6, "0806" + "0001080006040001"],
    ...["88b5" + payload, "8847" + "00064140" + ip4, "8864" + "110000010000" + "0021" + ip4],
  );
  const hex = (random.below(20) === 0 ? "ffffffffffff" + mac.slice(12) : mac) + tags + body;
  const bytes = Uint8Array.fromHex(hex);
  return random.below(4) === 0 ? bytes.slice(0, 14 + random.below(40)) : bytes;
}

Deno.test("A filter lets through what tcpdump lets through, of many frames and filters", async () => {
  await using programs = new Programs();
  const dir = Deno.makeTempDirSync({ prefix: "culvert-filter-" });
  try {
    const random = new Random(15);
    const frames = Array.from({ length: 3000 }, (_, i): CapturedFrame => {
      const whole = randomFrame(random);
      const bytes = random.below(5) === 0 ? whole.slice(0, 40) : whole; // as cut by a snaplen
      return { bytes, wireBytes: whole.length, port: 0, time: BigInt(i) * 1000n };
    });
    using input = Deno.openSync(`${dir}/in.pcap`, { write: true, create: true });
    const writer = new CaptureWriter(input);
    for (const frame of frames) writer.write(frame);
    writer.flush();
    let [matched, missed] = [0, 0];
    for (const text of FILTERS) {
      const out = `${dir}/out.pcap`;
      await programs.run("tcpdump", "-r", `${dir}/in.pcap`, "-w", out, "--", text);
      using file = Deno.openSync(out);
      const reader = new CaptureReader(file, out);
      const wanted: bigint[] = [];
      for (let frame; (frame = reader.next());) wanted.push(frame.time);
      const filter = compileFilter(text);
      const shifted = new Uint8Array(4096).fill(0xff);
      const found = frames.filter(({ bytes, wireBytes }) => {
        shifted.set(bytes, 100); // what lies around it must not matter
        shifted[100 + bytes.length] = 0xff;
        return filter(shifted, 100, bytes.length, wireBytes) > 0;
      }).map(({ time }) => time);
      assert.deepEqual(found, wanted, text);
      matched += found.length;
      missed += frames.length - found.length;
    }
    assert(matched > 10_000 && missed > 10_000, `${matched} ${missed}`);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
