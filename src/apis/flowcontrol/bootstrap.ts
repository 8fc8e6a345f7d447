import type { FlowSchema, FlowSchemaSpec, PolicyRulesWithSubjects, PriorityLevelConfiguration, PriorityLevelConfigurationSpec, ResourcePolicyRule, Subject } from "../generated/flowcontrol/v1.ts";

/** What every cluster has. Source: k8s.io/apiserver/pkg/apis/flowcontrol/bootstrap. */

interface Configurations {
  priorityLevels: readonly PriorityLevelConfiguration[];
  flowSchemas: readonly FlowSchema[];
}

/** Whether the server keeps an object's spec as it is here: "true" or "false". */
export const autoUpdateAnnotation = "apf.kubernetes.io/autoupdate-spec";

const apiVersion = "flowcontrol.apiserver.k8s.io/v1";
const metadata = (name: string): FlowSchema["metadata"] => ({ name, annotations: { [autoUpdateAnnotation]: "true" } });
const level = (name: string, spec: PriorityLevelConfigurationSpec): PriorityLevelConfiguration => ({ apiVersion, kind: "PriorityLevelConfiguration", metadata: metadata(name), spec });
const queued = (name: string, shares: number, lendablePercent: number, queues: number, handSize: number): PriorityLevelConfiguration => level(name, {
  type: "Limited", limited: { nominalConcurrencyShares: shares, limitResponse: { type: "Queue", queuing: { queues, handSize, queueLengthLimit: 50 } }, lendablePercent },
});

const schema = (name: string, priorityLevel: string, matchingPrecedence: number, by: "ByUser" | "ByNamespace" | undefined, rule: PolicyRulesWithSubjects): FlowSchema => {
  const spec: FlowSchemaSpec = { priorityLevelConfiguration: { name: priorityLevel }, matchingPrecedence, ...(by ? { distinguisherMethod: { type: by } } : {}), rules: [rule] };
  return { apiVersion, kind: "FlowSchema", metadata: metadata(name), spec };
};
const group = (name: string): Subject => ({ kind: "Group", group: { name } });
const user = (name: string): Subject => ({ kind: "User", user: { name } });
const kubeSystem: Subject = { kind: "ServiceAccount", serviceAccount: { namespace: "kube-system", name: "*" } };
const everybody = [group("system:unauthenticated"), group("system:authenticated")];
const everything = (...subjects: Subject[]): PolicyRulesWithSubjects => ({
  subjects, resourceRules: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"], clusterScope: true, namespaces: ["*"] }], nonResourceRules: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
});
const leases = (...verbs: string[]): ResourcePolicyRule => ({ verbs, apiGroups: ["coordination.k8s.io"], resources: ["leases"], namespaces: ["*"] });

/** These can't be changed but for the exempt level's shares. */
export const mandatory: Configurations = {
  priorityLevels: [
    level("exempt", { type: "Exempt", exempt: { nominalConcurrencyShares: 0, lendablePercent: 0 } }),
    level("catch-all", { type: "Limited", limited: { nominalConcurrencyShares: 5, limitResponse: { type: "Reject" }, lendablePercent: 0 } }),
  ],
  flowSchemas: [
    schema("exempt", "exempt", 1, undefined, everything(group("system:masters"))),
    schema("catch-all", "catch-all", 10_000, "ByUser", everything(...everybody)),
  ],
};

/** These may be changed by who says so in the annotation. */
export const suggested: Configurations = {
  priorityLevels: [
    queued("system", 30, 33, 64, 6),
    queued("node-high", 40, 25, 64, 6),
    queued("leader-election", 10, 0, 16, 4),
    queued("workload-high", 40, 50, 128, 6),
    queued("workload-low", 100, 90, 128, 6),
    queued("global-default", 20, 50, 128, 6),
  ],
  flowSchemas: [
    schema("system-nodes", "system", 500, "ByUser", everything(group("system:nodes"))),
    schema("system-node-high", "node-high", 400, "ByUser", {
      subjects: [group("system:nodes")],
      resourceRules: [{ verbs: ["*"], apiGroups: [""], resources: ["nodes", "nodes/status"], clusterScope: true, namespaces: ["*"] }, leases("*")],
    }),
    schema("probes", "exempt", 2, undefined, { subjects: everybody, nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/readyz", "/livez"] }] }),
    schema("system-leader-election", "leader-election", 100, "ByUser", {
      subjects: [user("system:kube-controller-manager"), user("system:kube-scheduler"), kubeSystem], resourceRules: [leases("get", "create", "update")],
    }),
    schema("kube-controller-manager", "workload-high", 800, "ByNamespace", everything(user("system:kube-controller-manager"))),
    schema("kube-scheduler", "workload-high", 800, "ByNamespace", everything(user("system:kube-scheduler"))),
    schema("kube-system-service-accounts", "workload-high", 900, "ByNamespace", everything(kubeSystem)),
    schema("service-accounts", "workload-low", 9000, "ByUser", everything(group("system:serviceaccounts"))),
    schema("global-default", "global-default", 9900, "ByUser", everything(...everybody)),
  ],
};
