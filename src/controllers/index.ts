import { systemClock } from "../base/clock.ts";
import { defaultFeatureGates, type FeatureGates } from "../apis/feature-gates.ts";
import type { Controller, ServedKinds } from "../client/controller.ts";
import { noExtensionApis, type ExtensionApis } from "../client/extension-apis.ts";
import { attachDetach } from "./attachdetach/attachdetach.ts";
import { bootstrapSigner } from "./bootstrap-signer/bootstrap-signer.ts";
import { certificateApproving } from "./certificates/approving.ts";
import { certificateCleaner } from "./certificates/cleaner.ts";
import { certificateSigningController, type Sign } from "./certificates/signing.ts";
import { clusterRoleAggregation } from "./clusterrole-aggregation/clusterrole-aggregation.ts";
import { cronjobController } from "./cronjob/cronjob.ts";
import { daemonset } from "./daemonset/daemonset.ts";
import { deployment } from "./deployment/deployment.ts";
import { disruption } from "./disruption/disruption.ts";
import { staleDisruptionTargets } from "./disruption/stale-targets.ts";
import { endpointsController } from "./endpoints/endpoints.ts";
import { endpointslice } from "./endpointslice/endpointslice.ts";
import { endpointslicemirroring } from "./endpointslicemirroring/endpointslicemirroring.ts";
import { ephemeralVolume } from "./ephemeral-volume/ephemeral-volume.ts";
import { flowSchemas } from "./flow-schemas/flow-schemas.ts";
import { garbageCollector } from "./garbage-collector/garbage-collector.ts";
import { jobController } from "./job/job.ts";
import { jobOrphanPods } from "./job/orphan-pods.ts";
import { localPathProvisioner } from "./local-path-provisioner/local-path-provisioner.ts";
import { horizontalPodAutoscaler } from "./horizontal-pod-autoscaler/horizontal-pod-autoscaler.ts";
import { leaseGc } from "./lease-gc/lease-gc.ts";
import { namespaceController } from "./namespace/namespace.ts";
import { nodeIpam } from "./node-ipam/node-ipam.ts";
import { nodeLifecycle } from "./node-lifecycle/node-lifecycle.ts";
import { taintEviction } from "./node-lifecycle/taint-eviction.ts";
import { persistentVolumeBinder } from "./persistentvolume-binder/persistentvolume-binder.ts";
import { persistentVolumeExpander } from "./persistentvolume-expander/persistentvolume-expander.ts";
import { PodsByNode } from "./pods-by-node.ts";
import { podGc } from "./pod-gc/pod-gc.ts";
import { replicaset } from "./replicaset/replicaset.ts";
import { replicationcontroller } from "./replicaset/replicationcontroller.ts";
import { resourceQuotaController } from "./resourcequota/resourcequota.ts";
import { rootCaPublisher } from "./root-ca-publisher/root-ca-publisher.ts";
import { serviceCidrs } from "./service-cidrs/service-cidrs.ts";
import { serviceLb } from "./service-lb/service-lb.ts";
import { serviceAccountTokenController, type IssueLegacyToken } from "./serviceaccount-token/serviceaccount-token.ts";
import { serviceaccount } from "./serviceaccount/serviceaccount.ts";
import { storageVersionGc } from "./storage-version-gc/storage-version-gc.ts";
import { storageVersionMigrator } from "./storage-version-migrator/storage-version-migrator.ts";
import { statefulset } from "./statefulset/statefulset.ts";
import { validatingAdmissionPolicyStatus } from "./validatingadmissionpolicystatus/validatingadmissionpolicystatus.ts";
import { volumeAttributesClassProtection } from "./volume-attributes-class-protection/volume-attributes-class-protection.ts";
import { persistentVolumeClaimProtection, persistentVolumeProtection } from "./volume-protection/volume-protection.ts";
import { tokenCleaner } from "./token-cleaner/token-cleaner.ts";
import { ttlAfterFinished } from "./ttl-after-finished/ttl-after-finished.ts";

export interface ControllerOptions {
  /** All kinds served, for the controllers that look at every object. */
  kinds: ServedKinds;
  /** What extension API servers serve, for the controller of this name. Default nothing. */
  extensions?(controller: string): ExtensionApis;
  /** PEM bundle that clients of the API server trust. */
  ca: string;
  /** Signs certificate requests of Kubernetes' own signers; without it they stay approved. */
  sign?: Sign;
  /** Signs tokens that are kept in Secrets; without it those stay empty. */
  issueLegacyToken?: IssueLegacyToken;
  /** IPv4 CIDR of the pod network. */
  clusterCidr: string;
  /** How long a node may be silent, in milliseconds. Default 50 s. */
  nodeMonitorGracePeriod?: number;
  /** Finished pods that are kept. Default 12,500. */
  terminatedPodThreshold?: number;
  /** Names of parts that do not run, as K3s has them: `servicelb`. */
  disable?: readonly string[];
  /** Features of which some bring controllers of their own. Default as in Kubernetes. */
  featureGates?: FeatureGates;
  /** Where nodes keep volumes of the class `local-path`: `<data-dir>/storage`. */
  storageDirectory?: string;
}

/** All controllers. Some keep state between events: make a new list for every start. */
export function controllers({ kinds, extensions = () => noExtensionApis, ca, sign, issueLegacyToken, clusterCidr, nodeMonitorGracePeriod, terminatedPodThreshold, storageDirectory = "/var/lib/skiff/storage", disable, featureGates = defaultFeatureGates }: ControllerOptions): Controller[] {
  const podsByNode = new PodsByNode();
  return [
    namespaceController({ kinds, extensions: extensions("namespace-controller") }),
    serviceaccount,
    serviceCidrs,
    flowSchemas,
    volumeAttributesClassProtection,
    persistentVolumeClaimProtection,
    persistentVolumeProtection,
    persistentVolumeBinder(),
    persistentVolumeExpander,
    attachDetach(),
    ephemeralVolume,
    localPathProvisioner({ storageDirectory }),
    ...(issueLegacyToken ? [serviceAccountTokenController({ ca, issue: issueLegacyToken })] : []),
    rootCaPublisher({ ca }),
    clusterRoleAggregation,
    validatingAdmissionPolicyStatus({ kinds }),
    resourceQuotaController({ kinds }),
    certificateApproving,
    ...(sign ? [certificateSigningController({ sign })] : []),
    certificateCleaner,
    tokenCleaner,
    bootstrapSigner,
    garbageCollector({ kinds }),
    nodeIpam({ clusterCidr }),
    nodeLifecycle({ podsByNode, gracePeriod: nodeMonitorGracePeriod }),
    taintEviction({ podsByNode }),
    leaseGc(),
    ...(featureGates.StorageVersionAPI ? [storageVersionGc] : []),
    ...(featureGates.StorageVersionMigrator ? [storageVersionMigrator({ kinds })] : []),
    podGc({ podsByNode, terminatedPodThreshold }),
    disruption({ kinds }),
    staleDisruptionTargets,
    horizontalPodAutoscaler({ kinds, extensions: extensions("horizontal-pod-autoscaler"), monotonic: systemClock.monotonic }),
    deployment(),
    replicaset(),
    replicationcontroller(),
    jobController(),
    jobOrphanPods,
    cronjobController(),
    ttlAfterFinished,
    daemonset(),
    statefulset(),
    endpointslice({ podsByNode }),
    endpointslicemirroring,
    endpointsController(),
    ...(disable?.includes("servicelb") ? [] : [serviceLb()]),
  ];
}
