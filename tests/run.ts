/**
 * `deno task test`: installs what is missing, then runs the quick gate and all tests but those of
 * `deno task machines`, also those that need root, namespaces, a VM or DPDK. Arguments are files or
 * folders to run instead of all.
 *
 * @module
 */
import config from "../deno.json" with { type: "json" };
import { takesAbout } from "../app/cli/duration.ts";
import {
  failures,
  type FileReport,
  hasFailed,
  readReport,
  type Report,
  slowest,
  withoutFailed,
} from "./junit.ts";
import { installPrerequisites } from "./prerequisites.ts";
import { sourcesIn } from "./source_files.ts";
import { UNIT_FILES } from "./unit_files.ts";

/**
 * Files and folders whose tests run beside each other, four files at a time, as they wait as much
 * as they work: they measure no time, count no frames that a busy machine may lose, look at nothing
 * that a machine has once, and try again if they need two threads that meet. Files that are in no
 * such list have the machine to themselves. The longest come first, or one of them would run alone
 * at the end.
 */
const TOGETHER = [
  "tests/system/systemd_test.ts",
  "tests/system/vm_test.ts",
  "tests/system/libvirt_test.ts",
  "tests/system/hotplug_test.ts",
  "tests/system/restart_test.ts",
  "tests/system/vm_lives_test.ts",
  "tests/system/package_test.ts",
  "tests/system/tcp_test.ts",
  "tests/bench/areas_test.ts",
  "tests/system/ctl_test.ts",
  "tests/system/demo_test.ts",
  "tests/system/push_test.ts",
  "tests/system/signals_test.ts",
  "tests/system/recovery_test.ts",
  "tests/system/bad_input_test.ts",
  "tests/system/bad_guest_test.ts",
  "tests/system/advice_test.ts",
  "tests/system/away_test.ts",
  "tests/system/capture_filter_test.ts",
  "tests/system/capture_super_test.ts",
  "tests/system/capture_test.ts",
  "tests/system/clone_test.ts",
  "tests/system/deadline_test.ts",
  "tests/system/doctor_test.ts",
  "tests/system/examples_test.ts",
  "tests/system/files_test.ts",
  "tests/system/frames_test.ts",
  "tests/system/gen_test.ts",
  "tests/system/guest_modes_test.ts",
  "tests/system/host_lock_test.ts",
  "tests/system/hosted_region_test.ts",
  "tests/system/hugepages_test.ts",
  "tests/system/inspect_test.ts",
  "tests/system/ivshmem_qemu_test.ts",
  "tests/system/ivshmem_server_test.ts",
  "tests/system/log_test.ts",
  "tests/system/many_guests_test.ts",
  "tests/system/many_hosts_test.ts",
  "tests/system/metrics_test.ts",
  "tests/system/mirror_test.ts",
  "tests/system/ordinary_user_test.ts",
  "tests/system/pcap_port_test.ts",
  "tests/system/privileges_test.ts",
  "tests/system/reconnector_test.ts",
  "tests/system/routing_examples_test.ts",
  "tests/system/run_test.ts",
  "tests/system/server_load_test.ts",
  "tests/system/service_test.ts",
  "tests/system/tagging_examples_test.ts",
  "tests/system/tap_burst_test.ts",
  "tests/system/top_test.ts",
  "tests/system/vm_doorbell_test.ts",
  "tests/system/wireshark_test.ts",
  "tests/bench/child_test.ts",
  "tests/bench/figures_test.ts",
  "tests/field/limits_test.ts",
  "tests/field/links_test.ts",
  "tests/hostile/blocker_test.ts",
  "tests/hostile/deaths_signal_test.ts",
  "tests/hostile/dying_creator_test.ts",
  "tests/litmus",
  "tests/model",
  "tests/shells",
  "tests/vm",
];

/**
 * Files whose tests run two files at a time, as they would lose frames beside three others. They,
 * too, look at nothing that a machine has once, and measure no times that are short.
 */
const PAIRED = [
  "tests/hostile/port_attack_test.ts",
  "tests/system/xdp_test.ts",
  "tests/system/xdp_lives_test.ts",
  "tests/system/queues_test.ts",
  "tests/system/tutorial_test.ts",
  "tests/system/checked_frames_test.ts",
  "tests/field/offloads_test.ts",
];

/** Files and folders that run beside each other, too, before what they do not call is installed. */
const EARLY = ["tests/stress", "tests/mutation"];

/** What `deno task machines` runs, which is part of `deno task proof`, and not of this. */
const ELSEWHERE = ["tests/machines"];

/** Seconds that all takes on two idle cores. */
const TEST_SECONDS = 840;

/** Files that run again at most if a test of theirs fails: more are no accident. */
const AGAIN_MAX = 4;

/** Lines of the table of slow files. */
const SLOWEST = 20;

/** How some tests ended. */
interface Outcome extends Report {
  /** The name of their report in `.cache`. */
  readonly name: string;
  readonly isGood: boolean;
  /**
   * Whether each file has failed, or has run all its tests: not one that cannot be loaded, or whose
   * tests were ended by an error outside of them.
   */
  readonly isComplete: boolean;
}

/**
 * Run Deno, by which `jobs` files of tests run at a time if it is told `--parallel`. Returns
 * whether it ended well.
 */
async function deno(args: readonly string[], jobs = 4): Promise<boolean> {
  const env = { DENO_JOBS: `${jobs}` };
  const command = new Deno.Command(Deno.execPath(), { args: [...args], env });
  return (await command.spawn().status).success;
}

/**
 * Run a command that writes a JUnit report. It is no success if no test has passed.
 *
 * @param files The files of which the report tells if all could run.
 */
async function test(
  name: string,
  command: readonly string[],
  files: readonly string[] = [],
  jobs?: number,
): Promise<Outcome> {
  const path = `.cache/${name}.xml`;
  await Deno.remove(path).catch(() => {}); // or an old report speaks for tests that crash
  const isGood = await deno([...command, `--junit-path=${path}`], jobs);
  const report = readReport(await Deno.readTextFile(path).catch(() => ""));
  const told = report.files.filter((file) => hasFailed(file) || file.skipped === 0)
    .map(({ file }) => file);
  const isComplete = files.every((file) => told.includes(file));
  const hasPassed = report.files.some(({ passed }) => passed > 0);
  return { ...report, name, isGood: isGood && hasPassed, isComplete };
}

const ALL = ["test", "-A", "--no-check"];

/** What `deno task unit` calls, but for its files: how tests run that may do less. */
const UNIT = config.tasks.unit.command.split(" ").slice(1)
  .filter((word) => !word.startsWith("tests/"));

/** Whether a file is one of `places`, or in one. */
function isIn(places: readonly string[], file: string): boolean {
  return places.some((place) => file === place || file.startsWith(`${place}/`));
}

/** The tests that failed in files that then ran again, each with what it threw. */
const failedOnce: string[] = [];

/** The files of tests that are some of `places`, or in one. */
function filesOf(places: readonly string[]): string[] {
  return sourcesIn("tests/", ["_test.ts"]).filter((file) => isIn(places, file));
}

/**
 * Run files of which a test failed once more, with no other test beside them: a machine that is
 * shared may be busy for longer than any wait has patience. What fails twice has failed; what fails
 * once is told, for it may be a race.
 *
 * @param how The same command as before, without files.
 */
async function testAgain(
  outcomes: readonly Outcome[],
  how: readonly string[],
): Promise<Outcome[]> {
  const files = outcomes.flatMap(({ files }) => files).filter(hasFailed).map(({ file }) => file);
  if (files.length === 0 || files.length > AGAIN_MAX) return [...outcomes];
  console.log(`Tests failed of ${files.join(" and ")}: these files run again, alone`);
  failedOnce.push(...failures(outcomes));
  const others = outcomes.map((outcome) => {
    const rest = withoutFailed(outcome);
    const isExplained = outcome.isComplete && rest.failed === 0 && outcome.failed > 0;
    const isGood = outcome.isGood || isExplained;
    return { ...outcome, ...rest, isGood };
  });
  return [...others, await test("tests_again", [...how, ...files], files)];
}

/**
 * Run what `deno task ok` runs: undefined if it fails. Unit tests run in two processes, not in two
 * threads of one: some of them count the descriptors that the process has open.
 */
async function openGate(): Promise<Outcome[] | undefined> {
  const half = (nth: number) =>
    test(`tests_unit_${nth}`, ["task", "-q", "unit", `--shard=${nth}/2`]);
  const [isSound, ...halves] = await Promise.all([deno(["task", "-q", "check"]), half(1), half(2)]);
  const units = await testAgain(halves, UNIT);
  return isSound && units.every(({ isGood }) => isGood) ? units : undefined;
}

/** Run what calls no program that has to be installed: undefined if the gate fails. */
async function testEarly(): Promise<Outcome[][] | undefined> {
  const units = await openGate();
  return units &&
    [units, [await test("tests_early", [...ALL, "--parallel", ...EARLY], filesOf(EARLY))]];
}

async function testAll(): Promise<Outcome[]> {
  console.log(`deno task test ${takesAbout(TEST_SECONDS)} on two idle cores; its parts, with the`);
  console.log(
    "time of each, are in tests/README.md, and can be run alone: deno task test PLACE ...",
  );
  const [done] = await Promise.all([testEarly(), installPrerequisites()]);
  if (!done) {
    console.log("deno task ok fails, see above: the other tests are left out");
    Deno.exit(1);
  }
  const [units, early] = done;
  const parallel = [...ALL, "--parallel"];
  const together = [
    await test("tests_together", [...parallel, ...TOGETHER], filesOf(TOGETHER)),
    await test("tests_paired", [...parallel, ...PAIRED], filesOf(PAIRED), 2),
  ];
  // The unit tests that the gate skips lack a permission there, but not here.
  const isDone = ({ skipped }: FileReport) => skipped === 0;
  const undone = units.flatMap(({ files }) => files).filter((file) => !isDone(file))
    .map(({ file }) => file);
  const all = filesOf(["tests"]);
  const again = all.filter((file) => undone.includes(file));
  const rest = all.filter((file) =>
    !isIn([...UNIT_FILES, ...EARLY, ...TOGETHER, ...PAIRED, ...ELSEWHERE], file)
  );
  const alone = await test("tests_alone", [...ALL, ...rest, ...again], rest);
  const gate = units.map((unit) => ({ ...unit, files: unit.files.filter(isDone) }));
  return await testAgain([...gate, ...early, ...together, alone], ALL);
}

async function testSome(places: readonly string[]): Promise<Outcome[]> {
  await installPrerequisites();
  return [await test("tests", [...ALL, ...places])];
}

const outcomes = Deno.args.length === 0 ? await testAll() : await testSome(Deno.args);
console.log(`The ${SLOWEST} slowest test files:`);
for (const line of slowest(outcomes, SLOWEST)) console.log(line);
for (const failure of failedOnce) console.log(`FAILED ONCE ${failure}`);
for (const failure of failures(outcomes)) console.log(`FAILED ${failure}`);
const bad = outcomes.filter(({ isGood }) => !isGood);
for (const { name } of bad) console.log(`Not all is well with ${name}, see above`);
const files = outcomes.flatMap(({ files }) => files);
const passed = files.reduce((sum, file) => sum + file.passed, 0);
const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
const skipped = files.reduce((sum, file) => sum + file.skipped, 0);
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
Deno.exit(bad.length === 0 ? 0 : 1);
