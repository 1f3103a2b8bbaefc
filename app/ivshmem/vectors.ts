/** Most vectors that our server gives each peer: QEMU's client takes no more. */
export const SERVER_VECTORS_MAX = 64;

/** Most vectors of a device, and so of a peer: MSI-X has no more. */
export const MSIX_VECTORS_MAX = 2048;
