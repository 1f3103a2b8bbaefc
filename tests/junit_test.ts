import { deepEqual } from "node:assert/strict";
import { failures, hasFailed, readReport, slowest, withoutFailed } from "./junit.ts";

const XML = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="4" failures="1" errors="0" time="4.5">
    <testsuite name="./tests/a_test.ts" tests="1" disabled="0" errors="0" failures="0">
        <testcase name="a &gt; b: time=&quot;9&quot;" classname="./tests/a_test.ts" time="1.250" line="1" col="6">
        </testcase>
    </testsuite>
    <testsuite name="./tests/b/c_test.ts" tests="3" disabled="0" errors="0" failures="1">
        <testcase name="c &gt; d" classname="./tests/b/c_test.ts" time="2.500" line="9" col="6">
            <failure message="Uncaught AssertionError">a &lt; b
&apos;&amp;lt;&#39;
</failure>
        </testcase>
        <testcase name="d" classname="./tests/b/c_test.ts" time="0.750" line="10" col="6">
        </testcase>
        <testcase name="e" classname="./tests/b/c_test.ts" time="0.000" line="11" col="6">
            <skipped/>
        </testcase>
    </testsuite>
</testsuites>
`;

Deno.test("readReport() counts tests, and the seconds of each file", () => {
  deepEqual(readReport(XML), {
    failed: 1,
    files: [
      { file: "tests/a_test.ts", seconds: 1.25, passed: 1, skipped: 0, failures: [] },
      {
        file: "tests/b/c_test.ts",
        seconds: 3.25,
        passed: 1,
        skipped: 1,
        failures: [{ name: "c > d", text: "a < b\n'&lt;'\n" }],
      },
    ],
  });
});

Deno.test("readReport() finds no test in the report of tests that crashed", () => {
  deepEqual(readReport(""), { failed: 0, files: [] });
});

Deno.test("slowest() sorts files by the seconds that they took in all reports", () => {
  const report = readReport(XML);
  deepEqual(slowest([report, report], 1), ["    6.5 s  tests/b/c_test.ts"]);
  deepEqual(slowest([report], 20), ["    3.3 s  tests/b/c_test.ts", "    1.3 s  tests/a_test.ts"]);
});

Deno.test("failures() tells which tests failed, and what each threw", () => {
  deepEqual(failures([readReport(XML)]), ["tests/b/c_test.ts: c > d\n    a < b\n    '&lt;'"]);
});

Deno.test("withoutFailed() leaves out files of which tests failed, not errors outside of tests", () => {
  const report = readReport(XML.replace('errors="0" time', 'errors="2" time'));
  deepEqual(report.files.filter(hasFailed).map(({ file }) => file), ["tests/b/c_test.ts"]);
  deepEqual(withoutFailed(report), { failed: 2, files: [report.files[0]] });
});
