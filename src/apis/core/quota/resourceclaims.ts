import type { Frozen } from "../../../apimachinery/meta.ts";
import type { DeviceSubRequest, ExactDeviceRequest, ResourceClaim } from "../../generated/resource/v1.ts";
import { countOf } from "./amounts.ts";
import type { QuotaEvaluator } from "./evaluator.ts";

const countName = "count/resourceclaims.resource.k8s.io";
const suffix = ".deviceclass.resource.k8s.io/devices";
/** As many devices as a claim can be given (k8s.io/api resource/v1 AllocationResultsMaxSize). */
const mostDevices = 32;

/** Claims for devices, and the devices by class. Source: kubernetes pkg/quota/v1/evaluator/core/resource_claims.go. */
export const deviceClaimQuota: QuotaEvaluator = {
  group: "resource.k8s.io", resource: "resourceclaims",
  matching: (names) => names.filter((name) => name === countName || name.endsWith(suffix)),
  handles: ({ operation, subresource }) => subresource === "" && (operation === "CREATE" || operation === "UPDATE"),
  usage(object) {
    const devices = new Map<string, number>();
    for (const { exactly, firstAvailable = [] } of (object as Frozen<ResourceClaim>).spec.devices?.requests ?? []) {
      const most = new Map<string, number>();
      for (const request of exactly ? [exactly] : firstAvailable) most.set(request.deviceClassName, Math.max(most.get(request.deviceClassName) ?? 0, devicesOf(request)));
      for (const [name, count] of most) devices.set(name, (devices.get(name) ?? 0) + count);
    }
    return new Map([[countName, countOf(1)], ...[...devices].map(([name, count]) => [name + suffix, countOf(count)] as const)]);
  },
  matchesScope: () => false,
  released: () => false,
};

function devicesOf({ allocationMode = "ExactCount", count = 1 }: Frozen<ExactDeviceRequest | DeviceSubRequest>): number {
  if (allocationMode === "All") return mostDevices;
  return allocationMode === "ExactCount" ? count : 0;
}
