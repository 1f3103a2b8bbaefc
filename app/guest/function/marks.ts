/** Of a mark: the frame goes where its lane goes, or nowhere; or it is a port's number and 1. */
export const MARK = { NONE: 0, DROP: 255 } as const;

/** Frames and their marks, as a `FrameBurst` has them. */
export interface MarkedFrames {
  /** Two words a frame, its descriptor. */
  readonly words: Uint32Array;
  /** One of {@linkcode MARK}, or a port's number and 1, for each frame. */
  readonly marks: Uint8Array;
  /** Frames in the burst. */
  count: number;
  /** Whether any frame has a mark. */
  isMarked: boolean;
}

/**
 * Take the frames that are marked to be dropped out of a burst; the others move up, with their
 * marks.
 *
 * @param dropped Gets the descriptors of those that were taken out.
 * @returns how many there were.
 */
export function compact(frames: MarkedFrames, dropped: Uint32Array): number {
  const { marks, words, count } = frames;
  let kept = 0;
  let drops = 0;
  let isMarked = false;
  for (let i = 0; i < count; i++) {
    const mark = marks[i];
    marks[i] = MARK.NONE;
    if (mark === MARK.DROP) {
      dropped[drops << 1] = words[i << 1];
      dropped[(drops++ << 1) + 1] = words[(i << 1) + 1]; // for captures: the host believes neither
      continue;
    }
    words[kept << 1] = words[i << 1];
    words[(kept << 1) + 1] = words[(i << 1) + 1];
    marks[kept++] = mark;
    isMarked ||= mark !== MARK.NONE;
  }
  frames.count = kept;
  frames.isMarked = isMarked;
  return drops;
}
