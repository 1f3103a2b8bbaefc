import { completeChecksum, get16, type Words } from "./checksum.ts";
import { crc32c } from "./crc32c.ts";
import { IpLayer, PROTOCOL } from "./ip_layer.ts";
import { behindTags } from "./vlan.ts";

/** Where SCTP has its checksum, in bytes from its common header's start (RFC 9260, 3.1). */
const SCTP_CHECKSUM = 8;

const ip = new IpLayer();

/**
 * Finish the checksum that the sender of a frame left to its NIC: an Internet sum, or SCTP's
 * CRC32c.
 *
 * @param frame Where the frame starts in `memory`, in bytes.
 * @param length Bytes of the frame, 64 KiB at most.
 * @param start Where what is summed starts, in bytes from the frame's start.
 * @param offset Where the checksum is, in bytes from `start`.
 * @returns false, with nothing written, if that is outside the frame.
 */
export function finishChecksum(
  memory: Words,
  frame: number,
  length: number,
  start: number,
  offset: number,
): boolean {
  if (offset === SCTP_CHECKSUM && isSctp(memory, frame, length, start)) {
    const field = frame + start + SCTP_CHECKSUM;
    if (start + SCTP_CHECKSUM + 4 > length) return false;
    memory.u8.fill(0, field, field + 4);
    const crc = crc32c(memory.u8, frame + start, frame + length);
    for (let i = 0; i < 4; i++) memory.u8[field + i] = crc >>> 8 * i; // least significant first
    return true;
  }
  return completeChecksum(memory, frame, length, start, offset);
}

/** Whether an SCTP packet starts at byte `start` of the frame. */
function isSctp(memory: Words, frame: number, length: number, start: number): boolean {
  const network = behindTags(memory.u8, frame);
  const type = get16(memory.u8, network - 2);
  return ip.read(memory, network, frame + length, type) && ip.protocol === PROTOCOL.SCTP &&
    ip.transport === frame + start;
}
