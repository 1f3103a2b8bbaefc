/** A test that failed. */
interface Failure {
  readonly name: string;
  /** What it threw. */
  readonly text: string;
}

/** What a JUnit report of `deno test` says of a test file. */
export interface FileReport {
  readonly file: string;
  /** What its tests took. */
  readonly seconds: number;
  readonly passed: number;
  readonly skipped: number;
  readonly failures: readonly Failure[];
}

/** What a JUnit report of `deno test` says. */
export interface Report {
  /** Tests that failed, and errors outside of tests. */
  readonly failed: number;
  readonly files: readonly FileReport[];
}

/** What follows each start of `tag`. */
function parts(xml: string, tag: string): string[] {
  return xml.split(new RegExp(`<${tag}\\b`)).slice(1);
}

/** The value of an attribute of the element that `xml` goes on with. */
function attribute(xml: string, name: string): string {
  return new RegExp(`^[^>]*?\\b${name}="([^"]*)"`).exec(xml)?.[1] ?? "";
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'" };

/** Text as it was before it was put into XML. */
function plain(xml: string): string {
  return xml.replace(/&(lt|gt|quot|apos);/g, (_, name) => ENTITIES[name])
    .replace(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
    .replaceAll("&amp;", "&");
}

/** How a test failed: undefined if it did not. */
function readFailure(test: string): Failure | undefined {
  const [, text] = /<failure\b[^>]*>([^]*?)<\/failure>/.exec(test) ?? [];
  return text === undefined
    ? undefined
    : { name: plain(attribute(test, "name")), text: plain(text) };
}

/** Read a report, which is empty if tests have crashed. */
export function readReport(xml: string): Report {
  const files = parts(xml, "testsuite").map((suite) => {
    const tests = parts(suite, "testcase");
    const skipped = parts(suite, "skipped").length;
    const failures = tests.flatMap((test) => readFailure(test) ?? []);
    return {
      file: attribute(suite, "name").replace(/^\.\//, ""),
      seconds: tests.reduce((sum, test) => sum + Number(attribute(test, "time")), 0),
      passed: tests.length - skipped - failures.length,
      skipped,
      failures,
    };
  });
  const [total = ""] = parts(xml, "testsuites");
  const failed = Number(attribute(total, "failures")) + Number(attribute(total, "errors"));
  return { failed, files };
}

/** The slowest files of some reports, as lines of a table. */
export function slowest(reports: readonly Report[], count: number): string[] {
  const seconds = new Map<string, number>();
  for (const { file, seconds: more } of reports.flatMap(({ files }) => files)) {
    seconds.set(file, (seconds.get(file) ?? 0) + more);
  }
  return [...seconds].sort(([, a], [, b]) => b - a).slice(0, count)
    .map(([file, seconds]) => `${seconds.toFixed(1).padStart(7)} s  ${file}`);
}

/** The tests that failed in some reports, each with what it threw. */
export function failures(reports: readonly Report[]): string[] {
  return reports.flatMap(({ files }) => files).flatMap(({ file, failures }) =>
    failures.map(({ name, text }) => `${file}: ${name}\n${text.trim().replace(/^/gm, "    ")}`)
  );
}

/** Whether tests of a file failed. */
export function hasFailed({ failures }: FileReport): boolean {
  return failures.length > 0;
}

/** A report without the files of which tests failed. */
export function withoutFailed(report: Report): Report {
  const failed = report.files.filter(hasFailed).flatMap(({ failures }) => failures).length;
  return {
    failed: report.failed - failed,
    files: report.files.filter((file) => !hasFailed(file)),
  };
}
