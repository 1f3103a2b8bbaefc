import assert from "node:assert/strict";

/** The host's summary in numbers. */
export interface HostAccount {
  readonly received: number;
  readonly originated: number;
  readonly forwarded: number;
  /** Frames by reason. */
  readonly dropped: ReadonlyMap<string, number>;
  readonly mbufsFree: number;
  readonly mbufsTotal: number;
  /** Long ones; 0 of 0 if there are none. */
  readonly longFree: number;
  readonly longTotal: number;
}

/** Read the summary that a host prints in the end. */
export function account(stdout: string): HostAccount {
  const head =
    /^received (\d+)(?: \+ originated by the guest (\d+))? = forwarded (\d+) \+ dropped (\d+)$/m
      .exec(stdout);
  assert(head, `no summary in: ${stdout}`);
  const mbufs = /^mbufs: (\d+) of (\d+) free$/m.exec(stdout);
  assert(mbufs, `no mbufs in: ${stdout}`);
  const long = /^long mbufs: (\d+) of (\d+) free$/m.exec(stdout) ?? ["", "0", "0"];
  const dropped = new Map(
    [...stdout.matchAll(/^ {2}dropped (\d+): (.*)$/gm)].map(([, n, why]) => [why, Number(n)]),
  );
  assert.equal([...dropped.values()].reduce((sum, n) => sum + n, 0), Number(head[4]), stdout);
  return {
    received: Number(head[1]),
    originated: Number(head[2] ?? 0),
    forwarded: Number(head[3]),
    dropped,
    mbufsFree: Number(mbufs[1]),
    mbufsTotal: Number(mbufs[2]),
    longFree: Number(long[1]),
    longTotal: Number(long[2]),
  };
}

/** No frame and no mbuf is lost without a reason. */
export function assertBalanced(found: HostAccount): void {
  const { received, originated, forwarded, dropped, mbufsFree, mbufsTotal } = found;
  const { longFree, longTotal } = found;
  const drops = [...dropped.values()].reduce((sum, n) => sum + n, 0);
  const told = JSON.stringify({ ...found, dropped: [...dropped] });
  assert.equal(received + originated, forwarded + drops, told);
  assert.equal(mbufsFree, mbufsTotal, told);
  assert.equal(longFree, longTotal, told);
}
