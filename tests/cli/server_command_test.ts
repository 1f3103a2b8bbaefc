import { deepEqual, equal, throws } from "node:assert/strict";
import { readClientOptions } from "../../app/cli/client_command.ts";
import { argumentsFor, filesOf } from "../../app/region/start_server.ts";
import { readServerOptions } from "../../app/cli/server_command.ts";

const HERE = Deno.cwd();

const DEFAULTS = {
  socket: "/run/culvert/culvert0.sock",
  memory: { kind: "memfd" },
  asked: 64 << 20,
  bytes: 64 << 20,
  vectors: 1,
  pidfile: undefined,
  untilUnused: false,
  account: { user: undefined, group: undefined },
  foreground: false,
  verbose: false,
};

Deno.test("readServerOptions() gives a default to everything", () => {
  deepEqual(readServerOptions([]), DEFAULTS);
});

Deno.test("readServerOptions() reads what users of QEMU's ivshmem-server write", () => {
  const args = "-v -F -p x.pid -S /tmp/ivshmem_socket -m /dev/hugepages -l 1000K -n 8".split(" ");
  deepEqual(readServerOptions([...args, "--user", "kvm", "--group=7"]), {
    socket: "/tmp/ivshmem_socket",
    memory: { kind: "folder", path: "/dev/hugepages" },
    asked: 1_024_000,
    bytes: 2 ** 20,
    vectors: 8,
    pidfile: `${HERE}/x.pid`,
    untilUnused: false,
    account: { user: "kvm", group: "7" },
    foreground: true,
    verbose: true,
  });
  deepEqual(readServerOptions(["-M", "/ivshmem"])!.memory, { kind: "shm", name: "ivshmem" });
  deepEqual(readServerOptions(["-M", "a.b-c"])!.memory, { kind: "shm", name: "a.b-c" });
  deepEqual(readServerOptions(["-m", "x"])!.memory, { kind: "folder", path: `${HERE}/x` });
});

Deno.test("readServerOptions() takes a NAME or a PATH for a socket", () => {
  equal(readServerOptions(["-S", "red"])!.socket, "/run/culvert/red.sock");
  equal(readServerOptions(["-S", "./red"])!.socket, `${HERE}/red`);
});

for (const args of [["-h"], ["--help"], ["-S", "a b", "-h"]]) {
  Deno.test(`readServerOptions(${args.join(" ")}) is undefined, for help was asked for`, () => {
    equal(readServerOptions(args), undefined);
    equal(readClientOptions(args), undefined);
  });
}

for (
  const [args, message] of [
    [["-v"], /^Cannot use -v as a daemon has nowhere to say it: add -F$/],
    [["-S", "a b"], /^Cannot use region "a b" as it is no name /],
    [["-l", "0"], /^Cannot use -l 0 as 1 byte to 1 TiB are possible$/],
    [["-l", "1025G"], /^Cannot use -l 1025G as 1 byte to 1 TiB are possible$/],
    [["-l", "much"], /^Cannot use -l much as it is no size: /],
    [["-n", "65"], /^Cannot use -n 65 as it is no whole number from 0 to 64$/],
    [["-n", "-1"], /^Cannot read the command line: /],
    [["-M", "a", "-m", "b"], /^Cannot use -M and -m together: /],
    [["-M", "a/b"], /^Cannot use -M a\/b as it is no name /],
    [["-M", ".."], /^Cannot use -M \.\. as it is no name /],
    [["--fd", "2"], /^Cannot use --fd 2 as it is no whole number from 3 to 1048576$/],
    [["--first-id", "65536"], /^Cannot use --first-id 65536 as it is no whole number from 0 to /],
    [["-M", ""], /^Cannot use -M {2}as it is no name /],
    [["culvert0"], /^Cannot read the command line: .*culvert0/],
    [["-x"], /^Cannot read the command line: .*-x/],
  ] as [string[], RegExp][]
) {
  Deno.test(`readServerOptions(${args.join(" ")}) is a usage error`, () => {
    throws(() => readServerOptions(args), { name: "UsageError", message });
  });
}

for (
  const line of [
    "-S red",
    "-S /tmp/a,b -l 128M -n 0 -p /tmp/pid --until-unused",
    "-m /dev/hugepages",
    "-M red",
    "-S red --user nobody --group 7",
    "-S red --fd 3 --first-id 77",
  ]
) {
  Deno.test(`argumentsFor() writes what readServerOptions() reads: ${line}`, () => {
    const options = readServerOptions(line.split(" "))!;
    deepEqual(readServerOptions(argumentsFor(options)), { ...options, foreground: true });
  });
}

Deno.test("filesOf() a server is the folder of our sockets, or exactly what it makes", () => {
  const files = (line: string) => filesOf(readServerOptions(line.split(" "))!);
  deepEqual(files("-S red"), ["/run/culvert"]);
  deepEqual(files("-S /tmp/s -p /tmp/p"), ["/tmp/s", "/tmp/p", "/tmp/p.new"]);
  deepEqual(files("-S /tmp/s -M red"), ["/tmp/s", "/dev/shm/red"]);
  deepEqual(files("-S /tmp/s -m /dev/hugepages"), ["/tmp/s", "/dev/hugepages"]);
});

Deno.test("readClientOptions() reads commands in their order", () => {
  deepEqual(readClientOptions([]), {
    socket: "/run/culvert/culvert0.sock",
    commands: undefined,
    verbose: false,
  });
  deepEqual(readClientOptions(["-v", "-S", "/tmp/x", "-c", "dump", "-c", "wait any 1"]), {
    socket: "/tmp/x",
    commands: ["dump", "wait any 1"],
    verbose: true,
  });
});

for (const args of [["-S", "a b"], ["dump"], ["-c"]]) {
  Deno.test(`readClientOptions(${args.join(" ")}) is a usage error`, () => {
    throws(() => readClientOptions(args), { name: "UsageError" });
  });
}
