/**
 * `ping.ts ADDRESS COUNT`: ICMP echo requests, as ping sends them. Status 1 if no answer comes.
 *
 * @module
 */
import { check } from "../../ffi/error.ts";
import { shim } from "../../ffi/shim.ts";
import { runProgram } from "../cli/run_program.ts";
import { checksumOf, get16, put16, sum, wordsOf } from "../port/checksum.ts";

const AF_INET = 2, SOCK_RAW = 3, IPPROTO_ICMP = 1;
const ECHO_REQUEST = 8, ECHO_REPLY = 0;
const HEADER = 8, DATA = 56;
const TIMEOUT_US = 5_000_000, PAUSE_MS = 200;

/** An echo request: type, code, checksum, identifier, sequence number, 56 bytes (RFC 792). */
function echoRequest(identifier: number, sequence: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER + DATA).map((_, i) => i);
  bytes[0] = ECHO_REQUEST;
  bytes[1] = 0;
  put16(bytes, 2, 0);
  put16(bytes, 4, identifier);
  put16(bytes, 6, sequence);
  put16(bytes, 2, checksumOf(sum(wordsOf(bytes), 0, bytes.length)));
  return bytes;
}

/** Wait for the answer to `sequence`. A raw socket receives the ICMP packets of others, too. */
function isAnswered(socket: number, identifier: number, sequence: number): boolean {
  const packet = new Uint8Array(2048);
  const deadline = performance.now() * 1000 + TIMEOUT_US;
  for (let left = TIMEOUT_US; left > 0; left = Math.floor(deadline - performance.now() * 1000)) {
    if (check(shim.shim_poll(Int32Array.of(socket), 1, left), "wait for an answer") === 0) continue;
    check(shim.shim_file_read(socket, packet, packet.length), "receive an answer");
    const icmp = packet.subarray((packet[0] & 0xf) * 4); // behind the IPv4 header
    const isOurs = get16(icmp, 4) === identifier && get16(icmp, 6) === sequence;
    if (icmp[0] === ECHO_REPLY && isOurs) return true;
  }
  return false;
}

/** Ask `count` times and tell how long each answer took; returns the exit status. */
async function ping(address: string, count: number): Promise<number> {
  const socket = check(shim.shim_socket_open(AF_INET, SOCK_RAW, IPPROTO_ICMP), "open a raw socket");
  const target = Uint8Array.of(AF_INET, 0, 0, 0, ...address.split(".").map(Number), ...Array(8));
  const identifier = Deno.pid & 0xffff;
  let received = 0;
  for (let sequence = 1; sequence <= count; sequence++) {
    if (sequence > 1) await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    const request = echoRequest(identifier, sequence);
    const start = performance.now();
    const sent = shim.shim_socket_send(socket, request, request.length, target, target.length);
    check(sent, `send to ${address}`);
    const isThere = isAnswered(socket, identifier, sequence);
    const time = `time=${(performance.now() - start).toFixed(3)} ms`;
    console.log(`${address}: icmp_seq=${sequence} ${isThere ? time : "no answer"}`);
    if (isThere) received++;
  }
  const loss = Math.round(100 * (count - received) / count);
  console.log(`${count} packets transmitted, ${received} received, ${loss}% packet loss`);
  return received > 0 ? 0 : 1;
}

if (import.meta.main) await runProgram("ping", () => ping(Deno.args[0], Number(Deno.args[1])));
