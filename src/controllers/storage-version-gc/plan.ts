import type { Frozen } from "../../apimachinery/meta.ts";
import { withStorageVersions } from "../../apis/apiserverinternal/storageversion-status.ts";
import type { StorageVersion, StorageVersionStatus } from "../../apis/generated/apiserverinternal/v1alpha1.ts";

export type Cleanup = { action: "delete" } | { action: "update"; status: StorageVersionStatus };

/** Takes out what servers said that run no more; an object of which nothing is left goes. Undefined when all of them run. */
export function planCleanup({ metadata, status }: Frozen<StorageVersion>, isRunning: (apiServerID: string) => boolean, now: string): Cleanup | undefined {
  const versions = status?.storageVersions ?? [], left = versions.filter(({ apiServerID }) => isRunning(apiServerID ?? ""));
  if (left.length === versions.length) return undefined;
  if (left.length === 0) return { action: "delete" };
  return { action: "update", status: withStorageVersions(status, left, { generation: metadata.generation, now }) };
}
