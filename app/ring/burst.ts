/** Frames that one turn of a loop moves at most, unless `--burst` says otherwise (DPDK l2fwd). */
export const BURST_DEFAULT = 32;

/** Most frames in a burst: `SHIM_BURST` in shim/shim.h. */
export const BURST_MAX = 256;
