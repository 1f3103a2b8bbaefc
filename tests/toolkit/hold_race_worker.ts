import { addHolders } from "../../app/toolkit/holders.ts";
import { MbufNotes, type MbufNotesHandle } from "../../app/toolkit/mbuf_notes.ts";
import { meetAt, serveOrder, type StartLine } from "../ffi/run_workers.ts";

/** What each Worker is to do. */
export interface HoldRaceOrder {
  readonly notes: MbufNotesHandle;
  readonly times: number;
  readonly workers: number;
  readonly shared: StartLine;
}

/** Let one more hold mbuf 0, again and again. Answers how often. */
serveOrder(({ notes: handle, times, workers, shared }: HoldRaceOrder): number => {
  const notes = new MbufNotes(handle);
  meetAt(shared, workers);
  for (let i = 0; i < times; i++) addHolders(notes, 0, 1);
  return times;
});
