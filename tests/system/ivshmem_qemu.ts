/**
 * A QEMU with an ivshmem-doorbell device and no guest: the machine is paused, and its device is
 * driven by QEMU's qtest protocol, one line there and one back (docs/devel/testing/qtest.rst).
 *
 * @module
 */
import assert from "node:assert/strict";
import type { Lab, Running } from "../kit/lab.ts";

/** Where the test puts the device's BARs. */
const BAR0 = 0xfe000000, BAR1 = 0xfe001000, BAR2 = 0xe0000000;

/** BAR0's registers (ivshmem-spec). */
const IV_POSITION = 8, DOORBELL = 12;

/** Where QEMU puts the pending bits of an exclusive MSI-X BAR. */
const PENDING = 0x800;

/** The device's slot. */
const SLOT = 4;

/** See the module. */
export class QemuDevice {
  private constructor(readonly running: Running) {}

  /** Start one that joins the server at `socket`, and map its BARs. */
  static async start(lab: Lab, socket: string, vectors: number): Promise<QemuDevice> {
    const running = lab.start(
      ...["qemu-system-x86_64", "-machine", "pc", "-accel", "tcg", "-S", "-m", "64"],
      ...["-display", "none", "-nodefaults", "-qtest", "stdio", "-qtest-log", "none"],
      ...["-chardev", `socket,path=${socket},id=server`],
      ...["-device", `ivshmem-doorbell,chardev=server,vectors=${vectors},addr=0${SLOT}.0`],
    );
    const device = new QemuDevice(running);
    assert.equal(await device.#configRead(0), 0x11101af4);
    await device.#configWrite(0x10, BAR0);
    await device.#configWrite(0x14, BAR1);
    await device.#configWrite(0x18, BAR2);
    await device.#configWrite(0x1c, 0);
    await device.#configWrite(4, 6); // memory, bus master
    return device;
  }

  /** Its peer id. */
  id(): Promise<number> {
    return this.#read(BAR0 + IV_POSITION);
  }

  /** Ring a peer, as a guest does. */
  async ring(peer: number, vector: number): Promise<void> {
    await this.#ask(`writel ${hex(BAR0 + DOORBELL)} ${hex(peer * 65536 + vector)}`);
  }

  /** A word of the shared memory. */
  word(index: number): Promise<number> {
    return this.#read(BAR2 + 4 * index);
  }

  async setWord(index: number, value: number): Promise<void> {
    await this.#ask(`writel ${hex(BAR2 + 4 * index)} ${hex(value)}`);
  }

  /** Enable MSI-X. All vectors are masked: what arrives shows as pending. */
  async enableInterrupts(): Promise<void> {
    for (let at = (await this.#configRead(0x34)) & 0xff; at !== 0;) {
      const capability = await this.#configRead(at);
      if ((capability & 0xff) === 0x11) {
        await this.#configWrite(at, (capability | 0x80000000) >>> 0);
      }
      at = capability >>> 8 & 0xff;
    }
  }

  /** Mask of vectors at which interrupts are pending. */
  pending(): Promise<number> {
    return this.#read(BAR1 + PENDING);
  }

  #configAt(offset: number): Promise<string> {
    return this.#ask(`outl 0xcf8 ${hex(0x80000000 + SLOT * 2048 + offset)}`);
  }

  async #configRead(offset: number): Promise<number> {
    await this.#configAt(offset);
    return Number((await this.#ask("inl 0xcfc")).split(" ")[1]);
  }

  async #configWrite(offset: number, value: number): Promise<void> {
    await this.#configAt(offset);
    await this.#ask(`outl 0xcfc ${hex(value)}`);
  }

  async #read(address: number): Promise<number> {
    return Number((await this.#ask(`readl ${hex(address)}`)).split(" ")[1]);
  }

  async #ask(line: string): Promise<string> {
    await this.running.write(line);
    return await this.running.stdoutLine(/^OK/);
  }
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
