/** testpmd `io`: frames go out as they came in. */
export default function (): void {}
