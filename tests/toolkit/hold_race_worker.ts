import { shareMbuf } from "../../app/toolkit/refcount.ts";
import { MbufMetadata, type MbufMetadataHandle } from "../../app/toolkit/mbuf_metadata.ts";
import { meetAt, serveOrder, type StartLine } from "../ffi/run_workers.ts";

/** What each Worker is to do. */
export interface HoldRaceOrder {
  readonly metadata: MbufMetadataHandle;
  readonly times: number;
  readonly workers: number;
  readonly shared: StartLine;
}

/** Let one more hold mbuf 0, again and again. Answers how often. */
serveOrder(({ metadata: handle, times, workers, shared }: HoldRaceOrder): number => {
  const metadata = new MbufMetadata(handle);
  meetAt(shared, workers);
  for (let i = 0; i < times; i++) shareMbuf(metadata, 0, 1);
  return times;
});
