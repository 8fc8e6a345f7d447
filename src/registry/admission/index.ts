import { systemClock, type Clock } from "../../base/clock.ts";
import type { Authorizer } from "../attributes.ts";
import type { Listers } from "../listers.ts";
import { randomSuffix } from "../random-suffix.ts";
import type { Admission } from "./admission.ts";
import { alwaysPullImages } from "./plugins/always-pull-images.ts";
import { certificateApproval, certificateSigning, certificateSubjectRestriction } from "./plugins/certificates.ts";
import { defaultIngressClass } from "./plugins/default-ingress-class.ts";
import { defaultStorageClass } from "./plugins/default-storage-class.ts";
import { defaultTolerationSeconds } from "./plugins/default-toleration-seconds.ts";
import { denyServiceExternalIPs } from "./plugins/deny-service-external-ips.ts";
import { deviceAdminAccess } from "./plugins/device-admin-access.ts";
import { extendedResourceToleration } from "./plugins/extended-resource-toleration.ts";
import { limitPodHardAntiAffinityTopology } from "./plugins/limit-pod-hard-anti-affinity-topology.ts";
import { limitRanger } from "./plugins/limit-ranger.ts";
import { namespaceLifecycle } from "./plugins/namespace-lifecycle.ts";
import { nodeRestriction } from "./plugins/node-restriction.ts";
import { ownerReferencesPermissionEnforcement } from "./plugins/owner-references.ts";
import { persistentVolumeClaimResize } from "./plugins/persistent-volume-claim-resize.ts";
import { podSecurity, type PodSecurityConfiguration } from "./plugins/pod-security/pod-security.ts";
import { nodeDeclaredFeatureValidator, podResizeValidator } from "./plugins/pod-changes.ts";
import { podTopologyLabels } from "./plugins/pod-topology-labels.ts";
import { priority } from "./plugins/priority.ts";
import { rbacEscalation } from "./plugins/rbac-escalation.ts";
import { resourceQuota, type ResourceQuotaOptions } from "./plugins/resource-quota.ts";
import { runtimeClass } from "./plugins/runtime-class.ts";
import { serviceAccount } from "./plugins/service-account.ts";
import { storageObjectInUseProtection } from "./plugins/storage-object-in-use-protection.ts";
import { taintNodesByCondition } from "./plugins/taint-nodes-by-condition.ts";
import { createMatchConditions } from "./match-conditions.ts";
import { mutatingAdmissionPolicy } from "./policy/mutating.ts";
import type { PolicyDependencies } from "./policy/policies.ts";
import { validatingAdmissionPolicy } from "./policy/validating.ts";
import { mutatingAdmissionWebhook } from "./webhook/mutating.ts";
import { validatingAdmissionWebhook } from "./webhook/validating.ts";
import type { WebhookDependencies } from "./webhook/webhook.ts";

export interface AdmissionDependencies {
  listers: Listers;
  authorizer: Authorizer;
  clock?: Clock;
  /** Writes what admission charges to quotas. Without it no quota is enforced. */
  updateQuotaStatus?: ResourceQuotaOptions["updateStatus"];
  podSecurityConfiguration?: PodSecurityConfiguration;
  /** Names of plugins that run only where somebody asks for them. */
  enabled?: readonly string[];
  /** Names of plugins that are not to run; these win over `enabled`. */
  disabled?: readonly string[];
  /** Without it no policy is asked. */
  policies?: Pick<PolicyDependencies, "matcher" | "cards">;
  /** Without it no webhook is called. */
  webhooks?: Omit<WebhookDependencies, "matchConditions">;
}

const optional = new Set(["LimitPodHardAntiAffinityTopology", "AlwaysPullImages", "ExtendedResourceToleration", "OwnerReferencesPermissionEnforcement", "DenyServiceExternalIPs"]);

/** The plugins in the order of Kubernetes' own (pkg/kubeapiserver/options/plugins.go), less those that are switched off. */
export function defaultAdmission(dependencies: AdmissionDependencies): readonly Admission[] {
  const { enabled = [], disabled = [] } = dependencies;
  const all = allAdmission(dependencies);
  const unknown = [...enabled, ...disabled].find((name) => !all.some((plugin) => plugin.name === name));
  if (unknown) throw new Error(`there is no admission plugin ${JSON.stringify(unknown)}: there are ${all.map(({ name }) => name).join(", ")}`);
  return all.filter(({ name }) => !disabled.includes(name) && (!optional.has(name) || enabled.includes(name)));
}

const allAdmission = ({ listers, authorizer, clock = systemClock, policies, webhooks, updateQuotaStatus, podSecurityConfiguration }: AdmissionDependencies): readonly Admission[] => [
  namespaceLifecycle({ listers }),
  limitPodHardAntiAffinityTopology,
  limitRanger({ listers }),
  serviceAccount({ listers, randomSuffix, clock }),
  nodeRestriction({ listers, authorizer }),
  taintNodesByCondition,
  alwaysPullImages,
  podSecurity({ listers, configuration: podSecurityConfiguration }),
  priority({ listers }),
  defaultTolerationSeconds,
  extendedResourceToleration,
  defaultStorageClass({ listers }),
  storageObjectInUseProtection,
  ownerReferencesPermissionEnforcement({ authorizer, cards: policies?.cards ?? (() => []) }),
  persistentVolumeClaimResize({ listers }),
  runtimeClass({ listers }),
  certificateApproval({ authorizer }),
  certificateSigning({ authorizer }),
  certificateSubjectRestriction,
  defaultIngressClass({ listers }),
  denyServiceExternalIPs,
  podTopologyLabels({ listers }),
  rbacEscalation({ listers, authorizer }),
  deviceAdminAccess({ listers }),
  nodeDeclaredFeatureValidator({ listers }),
  podResizeValidator({ listers }),
  ...(policies ? [mutatingAdmissionPolicy({ ...policies, listers, authorizer })] : []),
  ...(webhooks ? [mutatingAdmissionWebhook({ matchConditions: createMatchConditions({ authorizer }), ...webhooks, listers })] : []),
  ...(policies ? [validatingAdmissionPolicy({ ...policies, listers, authorizer })] : []),
  ...(webhooks ? [validatingAdmissionWebhook({ matchConditions: createMatchConditions({ authorizer }), ...webhooks, listers })] : []),
  ...(updateQuotaStatus ? [resourceQuota({ listers, now: () => clock.now(), updateStatus: updateQuotaStatus })] : []),
];
