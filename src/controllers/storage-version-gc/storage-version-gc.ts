import { formatTime } from "../../apimachinery/time.ts";
import { storageversions } from "../../apis/apiserverinternal/storageversion.ts";
import { leases } from "../../apis/builtins.ts";
import { identityNamespace, isIdentityLease } from "../../apis/coordination/identity-lease.ts";
import type { StorageVersion } from "../../apis/generated/apiserverinternal/v1alpha1.ts";
import { defineController, watchOf } from "../../client/controller.ts";
import { planCleanup } from "./plan.ts";

/** Removes from StorageVersions what API servers said whose Lease is gone. Source: kubernetes pkg/controller/storageversiongc. */
export const storageVersionGc = defineController<StorageVersion>({
  name: "storage-version-garbage-collector", for: storageversions, writes: [storageversions],
  watches: [watchOf(leases, (current, old, { lister }) => {
    if (current || !isIdentityLease(old!)) return [];
    const gone = old!.metadata.name;
    return lister(storageversions).list().filter(({ status }) => status?.storageVersions?.some(({ apiServerID }) => apiServerID === gone)).map(({ metadata }) => metadata.name!);
  })],
  async reconcile(name, { client, lister, now }) {
    const version = lister(storageversions).get(name);
    if (!version || version.metadata.deletionTimestamp) return;
    const isRunning = (id: string): boolean => {
      const lease = lister(leases).get(`${identityNamespace}/${id}`);
      return lease !== undefined && isIdentityLease(lease);
    };
    const plan = planCleanup(version, isRunning, formatTime(now()));
    const { uid, resourceVersion } = version.metadata;
    if (plan?.action === "delete") await client.delete(storageversions, { name }, { preconditions: { uid, resourceVersion } });
    if (plan?.action === "update") await client.update(storageversions, { ...(structuredClone(version) as StorageVersion), status: plan.status }, { subresource: "status" });
  },
});
