/**
 * The host lcore of the benchmark with one frame in flight: the host's own loop. `?frames=N` of its
 * URL says how many are timed. A line of its log has p50, p99 and p99.9 in nanoseconds.
 *
 * @module
 */
import { HostLcore, type HostLcoreHandle } from "../app/host/host_lcore.ts";
import { serveLcore } from "../app/lcore/lcore.ts";
import { ONE_FRAME_GOES_ON, OneFramePort } from "./one_frame_port.ts";

const frames = Number(new URL(import.meta.url).searchParams.get("frames"));

serveLcore<HostLcoreHandle, void>((handle, command, log) =>
  HostLcore.run(handle, command, (setup, resources) => {
    if (setup.kind !== "null") throw new Error(`a null port is wanted, not ${setup.kind}`);
    return new OneFramePort(setup.frameBytes, frames, resources, (times) => {
      const found = times && [0.5, 0.99, 0.999].map((part) => times[Math.floor(part * frames)]);
      log(`one frame: ${found ?? ONE_FRAME_GOES_ON}`);
    });
  }, log)
);
