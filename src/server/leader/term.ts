import type { Frozen } from "../../apimachinery/meta.ts";
import type { Lease } from "../../apis/coordination/lease.ts";

/** When, by the time that passes here, a Lease was last seen to change. */
export interface Seen {
  resourceVersion: string;
  /** Clock.monotonic(). */
  at: number;
}

/** In how many milliseconds a server may take the Lease; 0 or less is now. One that has changed since it was seen has just been renewed. */
export function freeIn(lease: Frozen<Lease> | undefined, { seen, identity, now }: { seen: Seen | undefined; identity: string; now: number }): number {
  if (!lease?.spec.holderIdentity || lease.spec.holderIdentity === identity) return 0;
  const duration = (lease.spec.leaseDurationSeconds ?? 15) * 1000;
  return seen && seen.resourceVersion === lease.metadata.resourceVersion ? seen.at + duration - now : duration;
}
