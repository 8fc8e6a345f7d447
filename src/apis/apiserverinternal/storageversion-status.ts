import type { Frozen } from "../../apimachinery/meta.ts";
import type { ServerStorageVersion, StorageVersionCondition, StorageVersionStatus } from "../generated/apiserverinternal/v1alpha1.ts";

/** What all servers store the resource as; undefined when they differ, or there are none. */
export function commonEncodingVersion(versions: Frozen<ServerStorageVersion[]>): string | undefined {
  const first = versions[0]?.encodingVersion;
  return versions.every(({ encodingVersion }) => encodingVersion === first) ? first : undefined;
}

/**
 * The status with `storageVersions` in it, and what follows from them. The condition's time moves with its status, and when all went from
 * one version to another. Source: k8s.io/apiserver pkg/storageversion/updater.go.
 */
export function withStorageVersions(old: Frozen<StorageVersionStatus>, storageVersions: Frozen<ServerStorageVersion[]>, { generation, now }: { generation?: number; now: string }): StorageVersionStatus {
  const common = commonEncodingVersion(storageVersions), before = old.conditions?.find(({ type }) => type === conditionType);
  const [status, reason, message] = common === undefined ? ["False", "CommonEncodingVersionUnset", "Common encoding version unset"] as const : ["True", "CommonEncodingVersionSet", "Common encoding version set"] as const;
  const moved = before?.status !== status || (common !== undefined && old.commonEncodingVersion !== undefined && common !== old.commonEncodingVersion);
  const condition: StorageVersionCondition = {
    type: conditionType, status, reason, message,
    ...(generation ? { observedGeneration: generation } : {}),
    lastTransitionTime: moved ? now : before.lastTransitionTime ?? now,
  };
  const others = (old.conditions ?? []).filter(({ type }) => type !== conditionType);
  return {
    ...(storageVersions.length > 0 ? { storageVersions: structuredClone(storageVersions) as ServerStorageVersion[] } : {}),
    ...(common === undefined ? {} : { commonEncodingVersion: common }),
    conditions: [...others, condition],
  };
}

const conditionType = "AllEncodingVersionsEqual";
