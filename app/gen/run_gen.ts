import { CulvertError } from "../../ffi/error.ts";
import { COMMAND, CommandWord } from "../lcore/command.ts";
import { LcoreWorker } from "../lcore/lcore.ts";
import { type OpenedPort, openPort } from "../port/open_port.ts";
import type { PortSpec } from "../port/port_spec.ts";
import type { Sizes, TrialOptions, TrialResult } from "./gen_options.ts";
import type { GeneratorOrder } from "./lcore_worker.ts";

/** What a generator is asked for. */
export interface GenOptions {
  /** The port that frames are sent by. */
  readonly tx: PortSpec;
  /** The port that they come back by; undefined: the same one. */
  readonly rx?: PortSpec;
  /** 6 bytes: the MAC address that frames go to; undefined: that of the port that receives. */
  readonly to?: Uint8Array;
  /** Sizes of frames, in bytes. */
  readonly sizes: Sizes;
  /** Whether times are measured. */
  readonly latency: boolean;
  /** The core of the generator. */
  readonly core: number;
}

/** The MTU of TAPs that are made, which also limits the frames. */
const MTU = 1500;

/** An open generator. */
export interface OpenGenerator {
  /** Send frames; undefined if it was stopped before that. */
  trial(options: Omit<TrialOptions, "id">): Promise<TrialResult | undefined>;
  /** Close its ports. */
  close(): Promise<void>;
}

/**
 * Open the ports, and make the thread that sends and receives.
 *
 * @param lcoreUrl The module of the thread.
 * @throws {CulvertError} if a port cannot be opened.
 */
export async function openGenerator(
  { tx, rx, to, sizes, latency, core }: GenOptions,
  lcoreUrl: URL,
  signal: AbortSignal,
): Promise<OpenGenerator> {
  const opened: OpenedPort[] = [];
  const restore = () => opened.forEach((port) => port.restore());
  const command = CommandWord.create();
  const stop = () => command.value = COMMAND.STOP;
  signal.addEventListener("abort", stop);
  try {
    opened.push(openPort(tx, MTU));
    if (rx) opened.push(openPort(rx, MTU));
    const [sender, receiver = sender] = opened;
    const setup = {
      tx: sender.setup,
      ...rx ? { rx: receiver.setup } : {},
      addresses: { to: to ?? (rx ? receiver.mac : BROADCAST), from: sender.mac },
      ...{ sizes, mtu: MTU },
    };
    const worker = new LcoreWorker<GeneratorOrder, TrialResult | undefined>(
      lcoreUrl,
      core,
    ).prepare({ latency });
    await worker.ready.catch((error) => {
      worker.close();
      throw error instanceof CulvertError ? error : new CulvertError(String(error));
    });
    let id = crypto.getRandomValues(new Uint32Array(1))[0];
    return {
      trial: async (options) => {
        if (signal.aborted) return undefined;
        id = id + 1 >>> 0;
        return await worker.run(command, { setup, trial: { ...options, id } }, true).done;
      },
      async close() {
        await worker.run(command, { setup }).done.finally(restore);
        signal.removeEventListener("abort", stop);
        command.close();
      },
    };
  } catch (error) {
    restore();
    throw error;
  }
}

const BROADCAST = new Uint8Array(6).fill(0xff);
