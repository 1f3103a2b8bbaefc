/** What became of the frames of one pair of ports in one round: see {@linkcode judge}. */
export interface PairRound {
  readonly sent: number;
  readonly received: number;
  /** Dropped, as hosts have counted it, for any reason; held by guests that went. */
  readonly counted: number;
  /** Frames that our own receiving sockets had no room for. */
  readonly missed: number;
  /** Dropped, as the kernel counts it. Senders that hear of some of these count them too. */
  readonly kernel: number;
  /** Lost frames that were sent around the end of a host, until frames flowed again. */
  readonly lostWithHost: number;
}

/** Where lost frames went. */
export interface Judgement {
  readonly lost: number;
  /** Counted by hosts. */
  readonly byHost: number;
  /** Counted by the kernel alone: nobody listened on the interface. */
  readonly byKernel: number;
  /** Arrived, but our own sockets had no room. */
  readonly byUs: number;
  /** Counted by nobody: lost with a host that ended, or sent while there was none. */
  readonly withHost: number;
  /** What is left breaks the promise. Below 0: more was counted than lost. */
  readonly unaccounted: number;
}

/**
 * Account for every frame of a round: what was sent has arrived, or was counted. What was under
 * way in a host that ended is counted by nobody: that explains losses of frames sent around its
 * end, and no others.
 */
export function judge(
  { sent, received, counted, missed, kernel, lostWithHost }: PairRound,
): Judgement {
  const lost = sent - received;
  const rest = lost - counted - missed;
  const byKernel = clamp(rest, kernel);
  const withHost = clamp(rest - byKernel, lostWithHost);
  const unaccounted = rest - byKernel - withHost;
  return { lost, byHost: counted, byKernel, byUs: missed, withHost, unaccounted };
}

/** Add up. What one pair counted too often does not explain what another lost. */
export function addJudgements(all: readonly Judgement[]): Judgement {
  const sum = (key: keyof Judgement) => all.reduce((total, one) => total + one[key], 0);
  return {
    lost: sum("lost"),
    byHost: sum("byHost"),
    byKernel: sum("byKernel"),
    byUs: sum("byUs"),
    withHost: sum("withHost"),
    unaccounted: sum("unaccounted") || (all.find((one) => one.unaccounted !== 0)?.unaccounted ?? 0),
  };
}

function clamp(value: number, most: number): number {
  return Math.max(0, Math.min(value, most));
}
