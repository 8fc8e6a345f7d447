import type { PodSpec } from "../../generated/core/v1.ts";

/**
 * Takes out what belongs to features that are off by default in 1.36: ClusterTrustBundleProjection, PodCertificateRequest, ContainerStopSignals
 * and GenericWorkload. As nothing stores these fields, no older object can have them in use, and they may go before anything else looks.
 */
export function dropDisabledFields(spec: PodSpec): void {
  delete spec.schedulingGroup;
  for (const { projected } of spec.volumes ?? []) {
    for (const source of projected?.sources ?? []) {
      delete source.clusterTrustBundle;
      delete source.podCertificate;
    }
  }
  for (const list of [spec.containers, spec.initContainers, spec.ephemeralContainers]) {
    for (const { lifecycle } of list ?? []) delete lifecycle?.stopSignal;
  }
}
