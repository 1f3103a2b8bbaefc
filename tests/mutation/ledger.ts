import type { Table } from "./mutants.ts";

const RACE = ["channel/ledger_race_test.ts"];

/** Between two steps that should be one, now and then: the other has time to come between. */
const LATER = "if (index % 4096 === 0) {\n" +
  "      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);\n    }\n    ";

/** Who owns which mbuf. */
export const LEDGER: Table = {
  what: "the ledger",
  tests: ["channel/ledger_test.ts", "channel/ledger_property_test.ts"],
  mutations: [
    {
      what: "the ledger takes frames from whoever gives them",
      file: "channel/ledger.ts",
      from: "if (owner !== framed && owner !== empty) owner = HOST;",
      to: "if (!(owner > 0)) owner = HOST;",
    },
    {
      what: "the ledger takes a frame twice",
      file: "channel/ledger.ts",
      from: "else if (!shared) owners[index] = HOST;",
      to: "else if (!shared);",
    },
    {
      what: "the ledger takes a run of frames from whoever gives them",
      file: "channel/ledger.ts",
      from: "index > DESCRIPTOR.INDEX_MASK || owners[index] !== framed ||",
      to: "index > DESCRIPTOR.INDEX_MASK ||",
    },
    {
      what: "the ledger takes a run of frames twice",
      file: "channel/ledger.ts",
      from: "owners[index] = HOST;\n    }\n    return count;",
      to: "}\n    return count;",
    },
    {
      what: "the ledger lets frames of a run be too short or too long",
      file: "channel/ledger.ts",
      from: "(length - FRAME_MIN_BYTES) >>> 0 > lengths ||",
      to: "",
    },
    {
      what: "the ledger lets a frame of a run end beyond its mbuf",
      file: "channel/ledger.ts",
      from: " || (word1 & 0xffff) + length > stride\n",
      to: "\n",
    },
    {
      what: "the ledger takes empty mbufs from whoever gives them",
      file: "channel/ledger.ts",
      from: "if (owner !== code && owner !== code + 1) return HOST;",
      to: "",
    },
    {
      what: "the ledger lets a frame end beyond its mbuf",
      file: "channel/ledger.ts",
      from: " &&\n        (word1 & 0xffff) + length <= stride",
      to: "",
    },
    {
      what: "the ledger lets a super-frame end beyond its mbuf",
      file: "channel/ledger.ts",
      from: " &&\n      offset + length <= room;",
      to: ";",
      tests: ["host/lane_super_test.ts"],
    },
    {
      what: "the ledger lets a super-frame lie over its header",
      file: "channel/ledger.ts",
      from: "flags !== 0 && offset >= SUPER_HEADER.END &&",
      to: "flags !== 0 &&",
      tests: ["host/lane_super_test.ts"],
    },
    {
      what: "the ledger lets a frame be too long",
      file: "channel/ledger.ts",
      from: "length >= FRAME_MIN_BYTES && length <= frameMax &&",
      to: "length >= FRAME_MIN_BYTES &&",
    },
    {
      what: "the ledger lets a frame be too short",
      file: "channel/ledger.ts",
      from: "length >= FRAME_MIN_BYTES && length <= frameMax &&",
      to: "length <= frameMax &&",
    },
    {
      what: "two lcores take the same frame back",
      file: "channel/ledger.ts",
      from: "else if (Atomics.compareExchange(owners, index, owner, HOST) !== owner) owner = HOST;",
      to: `else { ${LATER} owners[index] = HOST; }`,
      tests: RACE,
    },
    {
      what: "two lcores take the same empty mbuf back",
      file: "channel/ledger.ts",
      from: "return Atomics.compareExchange(owners, index, owner, HOST) === owner ? owner : HOST;",
      to: `${LATER} owners[index] = HOST;\n    return owner;`,
      tests: RACE,
    },
  ],
};
