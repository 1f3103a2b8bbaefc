import { deepEqual, equal, throws } from "node:assert/strict";
import { clientOptions } from "../../app/cli/client_command.ts";
import { argumentsFor, filesOf, serverCommand } from "../../app/region/server_command_line.ts";
import { serverOptions } from "../../app/cli/server_command.ts";
import { CLIENT } from "../../app/cli/tables/client.ts";
import { SERVER } from "../../app/cli/tables/server.ts";
import { parsed } from "./tables.ts";

const HERE = Deno.cwd();

function read(args: string[]) {
  return serverOptions(parsed(SERVER, args));
}

function readClient(args: string[]) {
  return clientOptions(parsed(CLIENT, args));
}

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

Deno.test("serverOptions() gives a default to everything", () => {
  deepEqual(read([]), DEFAULTS);
});

Deno.test("serverOptions() reads what users of QEMU's ivshmem-server write", () => {
  const args = "-v -F -p x.pid -S /tmp/ivshmem_socket -m /dev/hugepages -l 1000K -n 8".split(" ");
  deepEqual(read([...args, "--user", "kvm", "--group=7"]), {
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
  deepEqual(read(["-M", "/ivshmem"]).memory, { kind: "shm", name: "ivshmem" });
  deepEqual(read(["-M", "a.b-c"]).memory, { kind: "shm", name: "a.b-c" });
  deepEqual(read(["-m", "x"]).memory, { kind: "folder", path: `${HERE}/x` });
  deepEqual(read(["-m", "./64"]).memory, { kind: "folder", path: `${HERE}/64` });
});

Deno.test("serverOptions() takes a NAME or a PATH for a socket", () => {
  equal(read(["-S", "red"]).socket, "/run/culvert/red.sock");
  equal(read(["-S", "./red"]).socket, `${HERE}/red`);
});

for (
  const [args, message] of [
    [["-v"], /^Cannot use -v as a daemon has nowhere to say it: add -F$/],
    [["-S", "a b"], /^Cannot use region "a b" as it is no name /],
    [["-l", "0"], /^Cannot use -l 0 as 1 byte to 1 TiB are possible$/],
    [["-l", "1025G"], /^Cannot use -l 1100585369600 as 1 byte to 1 TiB are possible$/],
    [["-l", "much"], /^Cannot use -l much as it is no size: /],
    [["-n", "65"], /^Cannot use -n 65 as it is no whole number from 0 to 64$/],
    [["-n", "-1"], /^Cannot use -n -1 as that looks like an option: write -n VECTORS, or /],
    [
      ["-m", "64", "-p", "/tmp/ivshmem_socket"],
      /^Cannot use -m 64 as -m names a folder: .* -l 64M -S PATH \(a folder .*: -m \.\/64\)$/,
    ],
    [["-M", "a", "-m", "b"], /^Cannot use -M and -m together: /],
    [["-M", "a/b"], /^Cannot use -M a\/b as it is no name /],
    [["-M", ".."], /^Cannot use -M \.\. as it is no name /],
    [["--fd", "2"], /^Cannot use --fd 2 as it is no whole number from 3 to 1048576$/],
    [["--first-id", "65536"], /^Cannot use --first-id 65536 as it is no whole number from 0 to /],
    [["-M", ""], /^Cannot use -M {2}as it is no name /],
    [["culvert0"], /^Cannot use "culvert0" as culvert server takes options alone: /],
    [["-x"], /^Cannot use -x as culvert server has no such option: /],
  ] as [string[], RegExp][]
) {
  Deno.test(`culvert server ${args.join(" ")} is a usage error`, () => {
    throws(() => read(args), { name: "UsageError", message });
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
  Deno.test(`argumentsFor() writes what culvert server reads: ${line}`, () => {
    const options = read(line.split(" "));
    deepEqual(read(argumentsFor(options)), { ...options, foreground: true });
  });
}

Deno.test("filesOf() a server is the folder of our sockets, or exactly what it makes", () => {
  const files = (line: string) => filesOf(read(line.split(" ")));
  deepEqual(files("-S red"), ["/run/culvert"]);
  deepEqual(files("-S /tmp/s -p /tmp/p"), ["/tmp/s", "/tmp/p", "/tmp/p.new"]);
  deepEqual(files("-S /tmp/s -M red"), ["/tmp/s", "/dev/shm/red"]);
  deepEqual(files("-S /tmp/s -m /dev/hugepages"), ["/tmp/s", "/dev/hugepages"]);
});

Deno.test("clientOptions() reads commands in their order", () => {
  deepEqual(readClient([]), {
    socket: "/run/culvert/culvert0.sock",
    commands: undefined,
    verbose: false,
  });
  deepEqual(readClient(["-v", "-S", "/tmp/x", "-c", "dump", "-c", "wait any 1"]), {
    socket: "/tmp/x",
    commands: ["dump", "wait any 1"],
    verbose: true,
  });
});

for (const args of [["-S", "a b"], ["dump"], ["-c"]]) {
  Deno.test(`culvert client ${args.join(" ")} is a usage error`, () => {
    throws(() => readClient(args), { name: "UsageError" });
  });
}

Deno.test("serverCommand() refuses a path with a comma, which Deno could not be told to allow", () => {
  throws(() => serverCommand(read(["-F", "-S", "/tmp/a,b.sock"])), /\/tmp\/a,b\.sock has a comma/);
});
