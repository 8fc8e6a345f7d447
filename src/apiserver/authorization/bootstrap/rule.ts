import type { ClusterRole, ClusterRoleBinding, PolicyRule, Subject } from "../../../apis/generated/rbac/v1.ts";

export const rbacGroup = "rbac.authorization.k8s.io";
const labels = { "kubernetes.io/bootstrapping": "rbac-defaults" };
const annotations = { "rbac.authorization.kubernetes.io/autoupdate": "true" };
export const bootstrapMetadata = (name: string, extraLabels: Record<string, string> = {}, namespace?: string): { name: string; namespace?: string; labels: Record<string, string>; annotations: Record<string, string> } =>
  ({ name, ...(namespace ? { namespace } : {}), labels: { ...labels, ...extraLabels }, annotations });

export const read = ["get", "list", "watch"];
export const write = ["create", "delete", "deletecollection", "patch", "update"];
export const readWrite = [...write, ...read];

/** Verbs on resources of one API group, `""` being the core group. */
export const rule = (verbs: readonly string[], group: string, resources: readonly string[], resourceNames?: readonly string[]): PolicyRule =>
  ({ verbs: [...verbs], apiGroups: [group], resources: [...resources], ...(resourceNames ? { resourceNames: [...resourceNames] } : {}) });
export const paths = (...nonResourceURLs: string[]): PolicyRule => ({ verbs: ["get"], nonResourceURLs });

/** Writing Events, in both groups that have them. */
export const eventsRule: PolicyRule = { verbs: ["create", "patch", "update"], apiGroups: ["", "events.k8s.io"], resources: ["events"] };

export const clusterRole = (name: string, rules: readonly PolicyRule[], extraLabels?: Record<string, string>): ClusterRole =>
  ({ apiVersion: `${rbacGroup}/v1`, kind: "ClusterRole", metadata: bootstrapMetadata(name, extraLabels), rules: [...rules] });

export const group = (name: string): Subject => ({ kind: "Group", apiGroup: rbacGroup, name });
export const user = (name: string): Subject => ({ kind: "User", apiGroup: rbacGroup, name });
export const serviceAccount = (name: string, namespace = "kube-system"): Subject => ({ kind: "ServiceAccount", name, namespace });

export const clusterRoleBinding = (name: string, role: string, ...subjects: Subject[]): ClusterRoleBinding => ({
  apiVersion: `${rbacGroup}/v1`, kind: "ClusterRoleBinding", metadata: bootstrapMetadata(name), subjects, roleRef: { apiGroup: rbacGroup, kind: "ClusterRole", name: role },
});
