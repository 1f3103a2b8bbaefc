import type { Context, FrameFunction, OptionsSchema } from "culvert-net/function";
import { ipv4, plainOptions } from "culvert-net/function";

/** `--set rate=1000 --set burst=100 --set per=source`: packets a second, and at once. */
export const options: OptionsSchema = plainOptions({ rate: 1000, burst: 100, per: "all" });

/** Most sources that have a bucket of their own; further ones share one. */
const SOURCES_MAX = 65_536;

/** How many packets may pass, as of a time in milliseconds. */
interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Token bucket for IPv4 packets, one for all or one for each source address: a packet takes a
 * token, or is dropped. A bucket fills at `rate` tokens a second until there are `burst`.
 */
export function setup(
  context: Context<{ rate: number; burst: number; per: string }>,
): FrameFunction {
  const { rate, burst: most, per } = context.options;
  if (!(rate >= 0 && most >= 1 && (per === "all" || per === "source"))) {
    throw new RangeError(`Cannot limit to rate=${rate} burst=${most} per=${per}: see options`);
  }
  const shared: Bucket = { tokens: most, at: context.now };
  const buckets = new Map<number, Bucket>();
  const bucketOf = (source: number, now: number): Bucket => {
    let bucket = buckets.get(source);
    if (bucket !== undefined) return bucket;
    if (per === "all" || buckets.size === SOURCES_MAX) return shared;
    buckets.set(source, bucket = { tokens: most, at: now });
    return bucket;
  };
  const fill = (bucket: Bucket, now: number): boolean => {
    bucket.tokens = Math.min(most, bucket.tokens + (now - bucket.at) * rate / 1000);
    bucket.at = now;
    return bucket.tokens === most;
  };
  context.every(10_000, () => { // a full bucket is as good as none
    for (const [source, bucket] of buckets) if (fill(bucket, context.now)) buckets.delete(source);
  });
  return (burst) => {
    const now = context.now;
    for (let i = 0; i < burst.count; i++) {
      const at = ipv4.at(burst, i);
      if (at < 0) continue;
      const bucket = bucketOf(ipv4.source(burst, i, at) | 0, now);
      fill(bucket, now);
      if (bucket.tokens >= 1) bucket.tokens--;
      else burst.drop(i);
    }
  };
}
