import type { Table } from "./mutants.ts";

/** What becomes of super-frames that a guest may have spoiled. */
export const SUPER_FRAMES: Table = {
  what: "super-frames",
  tests: ["port/whole_frames_test.ts"],
  mutations: [
    {
      what: "a super-frame's segments may be longer than the frame limit",
      file: "port/whole_frames.ts",
      from: "return parts.segmentBytes <= this.#frameMax;",
      to: "return true;",
    },
    {
      what: "a super-frame passes whole whatever the interface's MTU is",
      file: "port/whole_frames.ts",
      from: " && this.#superFrame.packetBytes <= mtu",
      to: "",
    },
    {
      what: "the kernel is shown the partial checksum that a guest wrote",
      file: "port/whole_frames.ts",
      from: "this.#superFrame.completePartial();",
      to: "",
    },
    {
      what: "a plain frame is sent behind the header of one before",
      file: "port/whole_frames.ts",
      from: "headers[to] = headers[to + 1] = headers[to + 2] = 0;",
      to: "",
    },
    {
      what: "UDP passes whole with more segments than the kernel takes",
      file: "port/super_frame.ts",
      from: "this.pending <= UDP_SEGMENTS_MAX",
      to: "true",
    },
    {
      what: "a super-frame's packet need not end with the frame",
      file: "port/super_frame_headers.ts",
      from: "if (!this.ip.endsAt(u8, length)) return false;",
      to: "",
    },
    {
      what: "plain frames overtake super-frames",
      file: "port/kernel_port.ts",
      from: "this.#sendsWhole = true;",
      to: "",
    },
    {
      what: "a short mbuf is lost when a long one is handed out in its place",
      file: "port/rx_slots.ts",
      from: "words[number << 1] = NONE;\n      this.#mempool.free(this.#slots, 1, LONGS + slot);",
      to: "words[number << 1] = NONE;",
    },
    {
      what: "a link hands super-frames to who takes none",
      file: "port/link_port.ts",
      from: "other.#nextIsSuper && !(isSame && this.passesWhole)",
      to: "other.#nextIsSuper && !isSame",
      tests: ["port/link_super_test.ts"],
    },
    {
      what: "a guest whose functions take no super-frames sees them",
      file: "guest/guest_lane.ts",
      from: "if (!chain.offloads) this.#dropSuper(received);",
      to: "",
      tests: ["guest/super_frames_test.ts"],
    },
    {
      what: "a lane lends super-frames to who takes none",
      file: "host/lane.ts",
      from: "if ((flags & DESCRIPTOR_FLAG.SUPER) !== 0) n = this.#withoutSuper(n);",
      to: "",
      tests: ["host/lane_super_test.ts"],
    },
    {
      what: "a lane lends a guest long mbufs beyond its share",
      file: "host/lane.ts",
      from: "let beyond = takes ? longs.beyond(this.#guest) : 0;",
      to: "let beyond = 0;",
      tests: ["host/lane_super_test.ts"],
    },
  ],
};
