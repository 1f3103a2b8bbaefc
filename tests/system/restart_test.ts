/**
 * A host ends, in whatever way, and another one is started: what a VM has mapped is what that one
 * uses. The VM is this process, which maps memory as QEMU does.
 *
 * @module
 */
import assert from "node:assert/strict";
import { Peer } from "../../app/ivshmem/peer.ts";
import { HEADER, REGION_STATE } from "../../app/memory/layout.ts";
import { socketPath } from "../../app/memory/region_name.ts";
import { locateRegion } from "../../app/region/region_source.ts";
import { check } from "../../ffi/error.ts";
import { MappedMemory } from "../../ffi/mapped_memory.ts";
import { cString, shim } from "../../ffi/shim.ts";
import { HugeFolder } from "../kit/huge_folder.ts";
import { exists, Lab, pause, type Running, until } from "../kit/lab.ts";

const BYTES = 4 << 20;
const READ_WRITE_FOLLOWING = 5;

/** Milliseconds after which a server that nobody needs has surely ended: it looks once a second. */
const SERVER_ENDS_MS = 2500;

/** Where a region is, and how a VM gets its memory. */
type Place = "name" | "path" | "hugepages" | "doorbell" | "own server";
const PLACES: Place[] = ["name", "path", "hugepages", "doorbell", "own server"];

/** Places that have no server, and those whose server ends by itself when nobody needs it. */
const FILES: Place[] = ["path", "hugepages"], SERVED: Place[] = ["name", "doorbell"];

/** How a host ends. */
type End = "SIGTERM" | "SIGKILL" | "SIGHUP" | "server killed, then SIGTERM";
const ENDS: End[] = ["SIGTERM", "SIGKILL", "SIGHUP", "server killed, then SIGTERM"];

/** What a VM has mapped. */
class Vm implements Disposable {
  private constructor(readonly memory: MappedMemory, private readonly peer?: Peer) {}

  /** With `mem-path`. */
  static plain(path: string): Vm {
    const fd = check(shim.shim_file_open(cString(path), READ_WRITE_FOLLOWING), `open ${path}`);
    const memory = MappedMemory.ofFile(fd, BYTES, path);
    shim.shim_fd_close(fd);
    return new Vm(memory);
  }

  /** As ivshmem-doorbell. It stays at its server, and never looks for another one. */
  static doorbell(region: string): Vm {
    const peer = Peer.connect(socketPath(region))!;
    return new Vm(MappedMemory.ofFile(peer.memoryFd, BYTES, region), peer);
  }

  /** How many hosts have begun and ended here. */
  get epoch(): number {
    return this.memory.load(HEADER.EPOCH);
  }

  /** Wait until a host is at work here. */
  async isHosted(): Promise<void> {
    const beats = this.memory.load(HEADER.HEARTBEAT);
    await until(
      () =>
        this.memory.load(HEADER.STATE) === REGION_STATE.READY &&
        this.memory.load(HEADER.HEARTBEAT) !== beats,
      "a host is at work in the VM's memory",
    );
  }

  [Symbol.dispose](): void {
    this.memory.close();
    this.peer?.close();
  }
}

/** A region of some place, whose hosts come and go. */
class Stage implements AsyncDisposable {
  readonly #stack = new AsyncDisposableStack();
  readonly #args: string[];
  #server?: Running;

  private constructor(
    private readonly lab: Lab,
    private readonly place: Place,
    private readonly region: string,
  ) {
    const size = ["--size", `${BYTES}`, "--mbufs", "256"];
    this.#args = ["--port", "ring", ...size, "--region", region];
  }

  static async open(lab: Lab, place: Place): Promise<Stage> {
    const stack = new AsyncDisposableStack();
    const huge = place === "hugepages" ? stack.use(await HugeFolder.mount(lab)) : undefined;
    const region = huge ? `${huge.path}/region` : place === "path" ? lab.newPath() : lab.region;
    const stage = new Stage(lab, place, region);
    stage.#stack.use(stack);
    if (place !== "own server") return stage;
    const server = ["-F", "-S", region, "-l", `${BYTES}`, "-n", "4"];
    stage.#server = lab.culvert("server", server);
    await stage.#server.stderrLine(/ is ready: /);
    return stage;
  }

  startHost(): Promise<Running> {
    return this.lab.startHost(this.#args);
  }

  startVm(): Vm {
    if (this.place === "doorbell") return Vm.doorbell(this.region);
    return Vm.plain(locateRegion(this.region).path);
  }

  async end(host: Running, how: End): Promise<void> {
    if (how === "server killed, then SIGTERM") {
      const peer = Peer.connect(socketPath(this.region))!;
      peer.close();
      Deno.kill(peer.server.pid, "SIGKILL");
      await host.stderrLine(/the server is there again/);
      await host.stop("SIGTERM");
    } else await host.stop(how);
  }

  /** Nobody needs the region any more: it must be gone, a file once a host has ended alone. */
  async isGone(): Promise<void> {
    await this.#server?.stop("SIGTERM");
    if (FILES.includes(this.place) && exists(this.region)) {
      await this.end(await this.startHost(), "SIGTERM");
    }
    const isThere = () => {
      try {
        locateRegion(this.region);
        return true;
      } catch {
        return false;
      }
    };
    await until(() => !isThere(), "the region is gone");
    await this.lab.nothingLeft();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

/** A host ends so, and then another one orderly: the VM finds the next one each time. */
async function outlive(place: Place, end: End): Promise<void> {
  await using lab = await Lab.open();
  await using stage = await Stage.open(lab, place);
  const first = await stage.startHost();
  {
    using vm = stage.startVm();
    await vm.isHosted();
    const { epoch } = vm;
    await stage.end(first, end);
    if (SERVED.includes(place)) await pause(SERVER_ENDS_MS);
    const next = await stage.startHost();
    await vm.isHosted();
    assert.notEqual(vm.epoch, epoch, end);
    await stage.end(next, "SIGTERM");
    const last = await stage.startHost(); // at once, too
    await vm.isHosted();
    await stage.end(last, "SIGTERM");
  }
  await stage.isGone();
}

for (const place of PLACES) {
  const ends = ENDS.filter((end) => !end.startsWith("server") || !FILES.includes(place));
  Deno.test(`A VM (${place}) finds the next host after ${ends.join(", ")}, in the same memory`, async () => {
    await Promise.all(ends.map((end) => outlive(place, end)));
  });
}

Deno.test("A region that nobody maps is gone after its host, by name and by path", async () => {
  for (const place of ["name", "path"] as const) {
    await using lab = await Lab.open();
    await using stage = await Stage.open(lab, place);
    await stage.end(await stage.startHost(), "SIGTERM");
    await stage.isGone();
  }
});
