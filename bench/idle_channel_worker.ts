/**
 * Turns of a host's loop whose ports have no frames, and whose guests send none.
 *
 * @module
 */
import { check } from "../ffi/error.ts";
import { shim } from "../ffi/shim.ts";
import { NullPort } from "../app/port/null_port.ts";
import { TestHost } from "../tests/host/test_host.ts";

/** What the worker is sent. */
export interface IdleChannelsOrder {
  readonly core: number;
  readonly channels: number;
  readonly turns: number;
}

const scope = self as unknown as {
  onmessage: (event: MessageEvent<IdleChannelsOrder>) => void;
  postMessage(nanosecondsATurn: number): void;
};

scope.onmessage = ({ data: { core, channels, turns } }) => {
  check(shim.shim_thread_pin(core), `pin to core ${core}`);
  using lab = new TestHost({
    ports: channels,
    makePort: (_, resources) => new NullPort("silent", 0, resources),
  });
  lab.attach("r00");
  const [lcore] = lab.threads;
  const start = shim.shim_clock();
  for (let turn = 0; turn < turns; turn++) lcore.turn();
  scope.postMessage((shim.shim_clock() - start) / turns);
};
