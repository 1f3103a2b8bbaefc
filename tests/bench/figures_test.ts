import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { madeFiles, withFigures } from "../../bench/figures.ts";
import { compare, measureInTurns, type Measurement } from "../../bench/measurement.ts";
import { plotSvg, SHOWN } from "../../bench/plot.ts";
import { readingsOf } from "../../bench/readings.ts";
import { markdownTable, tableLines } from "../../bench/result_table.ts";
import { verdictLines } from "../../bench/verdict.ts";
import { figure, jsonLines, readResults, type Results } from "../../bench/results.ts";

const MACHINE = {
  date: "2026-01-02",
  commit: "abc",
  processor: "P <1>",
  cores: 2,
  kernel: "6.1",
  deno: "2",
  arguments: "",
};

const ROW: Measurement = {
  area: "path",
  name: "trip",
  unit: "Mpps",
  better: "more",
  lines: "far",
  value: 70,
  min: 60,
  max: 71,
  peers: [
    { name: "slow", value: 35, min: 30, max: 40, ratio: { value: 2, min: 1.5, max: 2.1 } },
    { name: "fast", value: 140, ratio: { value: 0.5 } },
  ],
};
const RESULTS: Results = { machine: MACHINE, measurements: [ROW] };

Deno.test("the plot, and the tables of the bench's pages, are those of bench/results.jsonl", async () => {
  for (const [name, text] of Object.entries(await madeFiles())) {
    const url = new URL(`../../bench/${name}`, import.meta.url);
    ok(await Deno.readTextFile(url) === text, `run "deno task figures": ${name} is another`);
  }
});

Deno.test("The plot shows each row that it has a title for", async () => {
  const { "results.svg": svg } = await madeFiles();
  equal(svg.match(/class="ink row"/g)?.length, SHOWN.size);
});

Deno.test("measureInTurns() alternates, and does not count the first turn", async () => {
  const calls: string[] = [];
  const side = (name: string, first: number) => {
    let value = first;
    return () => (calls.push(name), Promise.resolve(value++));
  };
  const peers = [{ name: "p", sample: side("p", 20) }, { name: "q", sample: side("q", 30) }];
  const found = await measureInTurns({ better: "more", ours: side("ours", 10), peers }, 3);
  equal(calls.join(" "), Array(4).fill("ours p q").join(" "));
  deepEqual([found.value, found.min, found.max], [12, 11, 13]);
  deepEqual(found.peers.map(({ value }) => value), [22, 32]);
  const warm = { better: "more", ours: side("ours", 10), peers: [], warmsUp: true } as const;
  equal((await measureInTurns(warm, 3)).value, 11);
  await rejects(measureInTurns({ ...warm, ours: () => Promise.reject(new Error("no")) }, 1));
});

Deno.test("readingsOf() measures once a turn, whichever row asks first", async () => {
  let taken = 0;
  const [p50, p99] = readingsOf(() => Promise.resolve([++taken, taken * 100]), 2);
  deepEqual([await p50(), await p50(), await p99(), await p99(), await p99()], [
    1,
    2,
    100,
    200,
    300,
  ]);
  equal(await p50(), 3);
  equal(taken, 3);
});

Deno.test("verdictLines() names each ratio that is not as wanted, and counts", () => {
  const [slow, fast] = ROW.peers;
  const row = { ...ROW, peers: [{ ...slow, wanted: 1.5 }, { ...fast, wanted: 0.75 }, fast] };
  deepEqual(verdictLines([row], 240), [
    "not as wanted: trip: 0.5 of fast, wanted 0.75",
    "bench: 1 rows in 4 min; ahead in 1 of 3 comparisons; 1 of 2 as wanted",
  ]);
});

Deno.test("markdownTable() has the limit of V8, and what is wanted, where a row has them", () => {
  const peers = [{ ...ROW.peers[0], wanted: 1.5 }];
  const [head, , line] = markdownTable([{ ...ROW, limit: 90, peers }]).split("\n");
  match(head, /\| max \| V8's limit \| peer .*\| wanted \| lines \|$/);
  match(line, /\| +71 \| +90 \| slow .*\| +1\.5 \| far +\|$/);
});

Deno.test("compare() takes ratios turn by turn, above 1 where ours is better", () => {
  const peers = new Map([["p", [1, 1, 8]]]);
  deepEqual(compare("more", [2, 3, 4], peers).peers[0].ratio, { value: 2, min: 0.5, max: 3 });
  deepEqual(compare("less", [2, 4, 4], peers).peers[0].ratio, { value: 0.5, min: 0.25, max: 2 });
});

Deno.test("readResults() reads what jsonLines() writes, and refuses what names no machine", () => {
  deepEqual(readResults(jsonLines(RESULTS)), RESULTS);
  try {
    readResults('{"name":"x"}\n');
    ok(false);
  } catch (error) {
    match(String(error), /names no machine/);
  }
});

Deno.test("figure() has three digits, and below 1 two", () => {
  deepEqual([70.24, 5.2, 0.863, 0.0512, 179.4, 1234.5].map(figure), [
    ...["70.2", "5.2", "0.86", "0.051", "179", "1,235"],
  ]);
});

Deno.test("plotSvg() draws the better side longer, whatever the unit, and says who is ahead", () => {
  const widths = (svg: string) =>
    [...svg.matchAll(/class="(?:ours|peer)"[^>]*width="([\d.]+)"/g)].map(([, w]) => Number(w));
  const svg = plotSvg(RESULTS);
  deepEqual(widths(svg), [200, 100, 400]);
  deepEqual(widths(plotSvg({ ...RESULTS, measurements: [{ ...ROW, better: "less" }] })), [
    ...[200, 400, 100],
  ]);
  match(svg, /class="ahead"[^>]*>2(\.0)?×/);
  match(svg, /class="behind"[^>]*>0\.50×/);
  match(svg, /P &#60;1&#62;/);
  match(svg, /prefers-color-scheme: dark/);
  equal(/class="limit"/.test(svg), false);
  match(
    plotSvg({ ...RESULTS, measurements: [{ ...ROW, limit: 140 }] }),
    /class="limit" d="M650\.0/,
  );
});

Deno.test("markdownTable() has one number a cell, and no column that is empty", () => {
  const table = markdownTable([ROW]);
  equal(table.split("\n").length, 4);
  for (const cell of table.split("\n").slice(2).flatMap((line) => line.split("|"))) {
    ok(/^[\d.,]*$/.test(cell.trim()) || !/\d/.test(cell), cell);
  }
  const bare = markdownTable([{ ...ROW, min: undefined, max: undefined, peers: [] }]);
  equal(bare.split("\n")[0], "| what | unit | culvert | lines |");
});

Deno.test("tableLines() has a line for each peer, with a bar of the ratio", () => {
  const [, slow, fast] = tableLines([ROW]);
  match(slow, /slow .* ##########\|##########$/);
  match(fast, /fast .* #{5} {5}\|$/);
});

Deno.test("withFigures() writes between the marks alone", () => {
  const text =
    "a\n<!-- figures: path -->\nold\n<!-- end -->\nb\n<!-- figures: tcp -->\n<!-- end -->";
  const found = withFigures(text, RESULTS);
  match(found, /^a\n<!-- figures: path -->\n\n\| what/);
  match(found, /<!-- end -->\nb\n<!-- figures: tcp -->\n\nNo results yet\.\n\n<!-- end -->$/);
});
