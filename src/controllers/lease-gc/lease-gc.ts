import { keyOf, splitKey, type Frozen } from "../../apimachinery/meta.ts";
import { leases } from "../../apis/builtins.ts";
import { isIdentityLease } from "../../apis/coordination/identity-lease.ts";
import type { Lease } from "../../apis/generated/coordination/v1.ts";
import { defineController, watchOf, type Controller } from "../../client/controller.ts";

/**
 * Deletes the Leases of API servers that are gone: those that say when they end, and have, and were not renewed for that long while we
 * watched, in case it is our clock that is wrong. Make one for each start. Source: kubernetes pkg/controlplane/controller/apiserverleasegc.
 */
export function leaseGc(): Controller {
  /** When each was renewed last, in time that passes. */
  const renewed = new Map<string, number>();
  return defineController<Lease>({
    name: "apiserver-lease-gc", writes: [{ apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["delete"] }],
    watches: [watchOf(leases, (current, old, { monotonic }) => {
      if (!isIdentityLease(current ?? old!)) return [];
      const key = keyOf(current ?? old!);
      const met = renewed.has(key);
      if (!current) renewed.delete(key);
      else if (!met || current.spec?.renewTime !== old?.spec?.renewTime) renewed.set(key, monotonic());
      // Each renewal moves the end; whether it is reached is asked once it would have been.
      return met ? [] : [key];
    })],
    async reconcile(key, { client, lister, now, monotonic }) {
      const lease = lister(leases).get(key);
      if (!lease || !isIdentityLease(lease)) return;
      const duration = (lease.spec?.leaseDurationSeconds ?? 0) * 1000;
      const left = Math.max((renewed.get(key) ?? 0) + duration - monotonic(), endOf(lease, duration) - now());
      if (left > 0) return { requeueAfter: left };
      await client.delete(leases, splitKey(key), { preconditions: { uid: lease.metadata.uid, resourceVersion: lease.metadata.resourceVersion } });
    },
  });
}

/** One that doesn't say when it ends is none of an API server's. */
const endOf = ({ spec }: Frozen<Lease>, duration: number): number => (spec?.renewTime && duration > 0 ? Date.parse(spec.renewTime) + duration : 0);
