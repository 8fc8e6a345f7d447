import type { ClusterRole, PolicyRule } from "../../../apis/generated/rbac/v1.ts";
import { clusterRole, paths, rbacGroup, read, readWrite, rule, write } from "./rule.ts";

// The roles meant for people. Source: k8s.io/kubernetes/plugin/pkg/auth/authorizer/rbac/bootstrappolicy ClusterRoles.

const aggregateTo = (name: string): Record<string, string> => ({ [`rbac.authorization.k8s.io/aggregate-to-${name}`]: "true" });

const workloads = ["controllerrevisions", "daemonsets", "daemonsets/status", "deployments", "deployments/scale", "deployments/status", "replicasets", "replicasets/scale", "replicasets/status", "statefulsets", "statefulsets/scale", "statefulsets/status"];
const writableWorkloads = ["daemonsets", "deployments", "deployments/rollback", "deployments/scale", "replicasets", "replicasets/scale", "statefulsets", "statefulsets/scale"];

const viewRules: readonly PolicyRule[] = [
  rule(read, "", ["configmaps", "endpoints", "persistentvolumeclaims", "persistentvolumeclaims/status", "pods", "replicationcontrollers", "replicationcontrollers/scale", "serviceaccounts", "services", "services/status"]),
  rule(read, "", ["bindings", "events", "limitranges", "namespaces/status", "pods/log", "pods/status", "replicationcontrollers/status", "resourcequotas", "resourcequotas/status"]),
  rule(read, "", ["namespaces"]),
  rule(read, "discovery.k8s.io", ["endpointslices"]),
  rule(read, "apps", workloads),
  rule(read, "autoscaling", ["horizontalpodautoscalers", "horizontalpodautoscalers/status"]),
  rule(read, "batch", ["cronjobs", "cronjobs/status", "jobs", "jobs/status"]),
  rule(read, "policy", ["poddisruptionbudgets", "poddisruptionbudgets/status"]),
  rule(read, "networking.k8s.io", ["ingresses", "ingresses/status", "networkpolicies"]),
  rule(read, "resource.k8s.io", ["resourceclaims", "resourceclaims/status", "resourceclaimtemplates"]),
  rule(read, "events.k8s.io", ["events"]),
  rule(read, "extensions", ["daemonsets", "daemonsets/status", "deployments", "deployments/scale", "deployments/status", "ingresses", "ingresses/status", "networkpolicies", "replicasets", "replicasets/scale", "replicasets/status", "replicationcontrollers/scale"]),
];

const editRules: readonly PolicyRule[] = [
  rule(read, "", ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy", "secrets", "services/proxy"]),
  rule(["impersonate"], "", ["serviceaccounts"]),
  rule(write, "", ["pods", "pods/attach", "pods/exec", "pods/portforward", "pods/proxy"]),
  rule(["create"], "", ["pods/eviction"]),
  rule(write, "", ["configmaps", "events", "persistentvolumeclaims", "replicationcontrollers", "replicationcontrollers/scale", "secrets", "serviceaccounts", "services", "services/proxy"]),
  rule(["create"], "", ["serviceaccounts/token"]),
  rule(write, "apps", writableWorkloads),
  rule(write, "autoscaling", ["horizontalpodautoscalers"]),
  rule(write, "batch", ["cronjobs", "jobs"]),
  rule(write, "policy", ["poddisruptionbudgets"]),
  rule(write, "networking.k8s.io", ["ingresses", "networkpolicies"]),
  rule(write, "resource.k8s.io", ["resourceclaims", "resourceclaimtemplates"]),
  rule(readWrite, "coordination.k8s.io", ["leases"]),
  rule(write, "events.k8s.io", ["events"]),
  rule(write, "extensions", ["daemonsets", "deployments", "deployments/rollback", "deployments/scale", "ingresses", "networkpolicies", "replicasets", "replicasets/scale", "replicationcontrollers/scale"]),
];

const adminRules: readonly PolicyRule[] = [
  rule(["create"], "authorization.k8s.io", ["localsubjectaccessreviews"]),
  rule(readWrite, rbacGroup, ["rolebindings", "roles"]),
];

/** Filled in already, so that the role is whole before anything has aggregated it. */
const aggregated = (name: string, rules: readonly PolicyRule[], labels?: Record<string, string>): ClusterRole =>
  ({ ...clusterRole(name, rules, labels), aggregationRule: { clusterRoleSelectors: [{ matchLabels: aggregateTo(name) }] } });

export const userRoles: readonly ClusterRole[] = [
  clusterRole("cluster-admin", [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }, { verbs: ["*"], nonResourceURLs: ["*"] }]),
  aggregated("admin", [...adminRules, ...editRules, ...viewRules]),
  aggregated("edit", [...editRules, ...viewRules], aggregateTo("admin")),
  aggregated("view", viewRules, aggregateTo("edit")),
  clusterRole("system:aggregate-to-admin", adminRules, aggregateTo("admin")),
  clusterRole("system:aggregate-to-edit", editRules, aggregateTo("edit")),
  clusterRole("system:aggregate-to-view", viewRules, aggregateTo("view")),
  clusterRole("system:aggregated-metrics-reader", [rule(read, "metrics.k8s.io", ["nodes", "pods"])], { ...aggregateTo("admin"), ...aggregateTo("edit"), ...aggregateTo("view") }),
  clusterRole("system:discovery", [paths("/api", "/api/*", "/apis", "/apis/*", "/healthz", "/livez", "/openapi", "/openapi/*", "/readyz", "/version", "/version/")]),
  clusterRole("system:monitoring", [paths("/flagz", "/healthz", "/healthz/*", "/livez", "/livez/*", "/metrics", "/metrics/slis", "/readyz", "/readyz/*", "/statusz"), rule(["get"], "", ["nodes/metrics"])]),
  clusterRole("system:public-info-viewer", [paths("/healthz", "/livez", "/readyz", "/version", "/version/")]),
  clusterRole("system:basic-user", [
    rule(["create"], "authorization.k8s.io", ["selfsubjectaccessreviews", "selfsubjectrulesreviews"]),
    rule(["create"], "authentication.k8s.io", ["selfsubjectreviews"]),
  ]),
];
