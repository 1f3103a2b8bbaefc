import type { Context } from "../function/context.ts";
import type { FrameFunction, OptionsSchema } from "../function/function_module.ts";
import { plainOptions } from "../function/plain_options.ts";
import { ethernet, ETHERTYPE } from "../headers/ethernet.ts";
import { ipv4, parseIpv4 } from "../headers/ipv4.ts";
import { PROTOCOL } from "../headers/transport.ts";

/** It makes frames, and sends them by the port whose turn it is. */
export const originates = true, answers = true;

/** `--set bytes=1514`, or `--txpkts 1514`: length of the frames, 60 to 1514. */
export const options: OptionsSchema = plainOptions({ bytes: 64 });

const HEADERS_BYTES = 42, UDP_AT = 34;

/** Addresses and port of benchmarks (RFC 2544, C.2.2). */
const SOURCE = parseIpv4("198.18.0.1"), DESTINATION = parseIpv4("198.18.0.2"), PORT = 9;

/**
 * testpmd `txonly`: as many frames as the host lends mbufs for. They are UDP from 198.18.0.1 to
 * 198.18.0.2, port 9 to 9, zeros behind; what is received is dropped.
 */
export function setup({ ports, options: { bytes } }: Context<{ bytes: number }>): FrameFunction {
  if (!(Number.isInteger(bytes) && bytes >= 60 && bytes <= 1514)) {
    throw new RangeError(`Cannot make frames of ${bytes} bytes: 60 to 1514 are possible`);
  }
  const templates: Uint8Array[] = [];
  return (burst) => {
    for (let i = 0; i < burst.count; i++) burst.drop(i);
    const { port } = burst;
    const { u8 } = burst.memory;
    for (let i; (i = burst.add(port)) >= 0;) {
      burst.append(i, bytes);
      const start = burst.start(i);
      const template = templates[port];
      if (template === undefined) {
        u8.fill(0, start, start + bytes);
        ethernet.setDestination(burst, i, Uint8Array.of(2, 0, 0, 0, 0, port));
        ethernet.setSource(burst, i, ports[port].mac);
        burst.setU16(i, 12, ETHERTYPE.IPV4);
        const packet = { source: SOURCE, destination: DESTINATION, protocol: PROTOCOL.UDP };
        ipv4.write(burst, i, 14, { ...packet, bytes: bytes - 14 });
        burst.setU32(i, UDP_AT, PORT << 16 | PORT);
        burst.setU16(i, UDP_AT + 4, bytes - UDP_AT);
        templates[port] = burst.bytes(i).slice(0, HEADERS_BYTES);
        continue;
      }
      for (let k = 0; k < HEADERS_BYTES; k++) u8[start + k] = template[k];
      u8.fill(0, start + HEADERS_BYTES, start + bytes);
    }
  };
}
