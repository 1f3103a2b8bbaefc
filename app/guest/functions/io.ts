/** Super-frames pass whole. */
export const offloads = true;

/** testpmd `io`: frames go out as they came in. */
export default function (): void {}
