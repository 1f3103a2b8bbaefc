/** A function that says nothing of offloads: it gets frames of the MTU with complete checksums. */
export default function (): void {}
