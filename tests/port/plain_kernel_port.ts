import { KernelPort } from "../../app/port/kernel_port.ts";
import type { Burst } from "../../app/ring/burst.ts";

/** A port whose interface is there: nothing arrives, and all that is sent is taken. */
export class PlainKernelPort extends KernelPort {
  readonly name = "plain";
  readonly pollable: number[] = [];
  protected receive(
    _map: number,
    _slots: Burst,
    _word: number,
    _room: number,
    _count: number,
  ): number {
    return 0;
  }
  protected send(_map: number, _burst: Burst, count: number, _at: number, _headers: number) {
    return count;
  }
  protected discard(): number {
    return 0;
  }
  protected recover(): boolean {
    return true;
  }
  protected hasCarrier(): boolean {
    return true;
  }
  protected mtu(): number {
    return 1500;
  }
  protected closeSockets(): void {}
}
