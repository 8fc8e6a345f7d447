import type { ClusterRole } from "../../../apis/generated/rbac/v1.ts";
import { nodeRules } from "./node-rules.ts";
import { clusterRole, eventsRule, paths, read, rule } from "./rule.ts";

const leaderElection = (name: string): ReturnType<typeof rule>[] => [
  rule(["create", "list", "watch"], "coordination.k8s.io", ["leases"]),
  rule(["get", "update"], "coordination.k8s.io", ["leases"], [name]),
];
const delegatedAuth = [rule(["create"], "authentication.k8s.io", ["tokenreviews"]), rule(["create"], "authorization.k8s.io", ["subjectaccessreviews"])];

/** The roles of the cluster's own parts and of common add-ons. Source: as `user-roles.ts`. */
export const componentRoles: readonly ClusterRole[] = [
  clusterRole("system:node", nodeRules),
  clusterRole("system:node-problem-detector", [rule(["get"], "", ["nodes"]), rule(["patch"], "", ["nodes/status"]), eventsRule]),
  clusterRole("system:node-proxier", [
    rule(["list", "watch"], "", ["endpoints", "services"]), rule(["get", "list", "watch"], "", ["nodes"]), eventsRule,
    rule(["list", "watch"], "discovery.k8s.io", ["endpointslices"]), rule(["list", "watch"], "networking.k8s.io", ["servicecidrs"]),
  ]),
  clusterRole("system:node-bootstrapper", [rule(["create", "get", "list", "watch"], "certificates.k8s.io", ["certificatesigningrequests"])]),
  clusterRole("system:kubelet-api-admin", [rule(read, "", ["nodes"]), rule(["proxy"], "", ["nodes"]), rule(["*"], "", ["nodes/configz", "nodes/healthz", "nodes/log", "nodes/metrics", "nodes/pods", "nodes/proxy", "nodes/stats"])]),
  clusterRole("system:heapster", [rule(read, "", ["events", "namespaces", "nodes", "pods"]), rule(read, "apps", ["deployments"])]),
  clusterRole("system:kube-dns", [rule(["list", "watch"], "", ["endpoints", "services"])]),
  clusterRole("system:auth-delegator", delegatedAuth),
  clusterRole("system:kube-aggregator", [rule(read, "", ["endpoints", "services"])]),
  clusterRole("system:persistent-volume-provisioner", [
    rule(["create", "delete", "get", "list", "watch"], "", ["persistentvolumes"]), rule(["get", "list", "update", "watch"], "", ["persistentvolumeclaims"]),
    rule(read, "storage.k8s.io", ["storageclasses"]), rule(["watch"], "", ["events"]), eventsRule,
  ]),
  clusterRole("system:service-account-issuer-discovery", [paths("/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/")]),
  clusterRole("system:kube-scheduler", [
    eventsRule, ...leaderElection("kube-scheduler"), ...delegatedAuth,
    rule(read, "", ["namespaces", "nodes", "persistentvolumeclaims", "persistentvolumes", "replicationcontrollers", "services"]),
    rule(["delete", "get", "list", "watch"], "", ["pods"]), rule(["create"], "", ["bindings", "pods/binding"]), rule(["patch", "update"], "", ["pods/status"]),
    rule(["patch", "update"], "", ["persistentvolumeclaims", "persistentvolumes"]),
    rule(read, "apps", ["replicasets", "statefulsets"]), rule(read, "policy", ["poddisruptionbudgets"]), rule(read, "scheduling.k8s.io", ["priorityclasses"]),
    rule(read, "storage.k8s.io", ["csidrivers", "csinodes", "csistoragecapacities", "storageclasses", "volumeattachments"]),
    rule(read, "resource.k8s.io", ["deviceclasses", "resourceclaims", "resourceslices"]), rule(["patch", "update"], "resource.k8s.io", ["resourceclaims", "resourceclaims/status"]),
  ]),
  clusterRole("system:kube-controller-manager", [
    eventsRule, ...leaderElection("kube-controller-manager"), ...delegatedAuth,
    rule(["create"], "", ["secrets", "serviceaccounts"]), rule(["delete"], "", ["secrets"]), rule(["get"], "", ["configmaps", "namespaces", "secrets", "serviceaccounts"]),
    rule(["update"], "", ["secrets", "serviceaccounts"]), rule(["create"], "", ["serviceaccounts/token"]), rule(["list", "watch"], "*", ["*"]),
  ]),
  clusterRole("system:certificates.k8s.io:certificatesigningrequests:nodeclient", [rule(["create"], "certificates.k8s.io", ["certificatesigningrequests/nodeclient"])]),
  clusterRole("system:certificates.k8s.io:certificatesigningrequests:selfnodeclient", [rule(["create"], "certificates.k8s.io", ["certificatesigningrequests/selfnodeclient"])]),
  clusterRole("system:certificates.k8s.io:kube-apiserver-client-approver", [rule(["approve"], "certificates.k8s.io", ["signers"], ["kubernetes.io/kube-apiserver-client"])]),
  clusterRole("system:certificates.k8s.io:kube-apiserver-client-kubelet-approver", [rule(["approve"], "certificates.k8s.io", ["signers"], ["kubernetes.io/kube-apiserver-client-kubelet"])]),
  clusterRole("system:certificates.k8s.io:kubelet-serving-approver", [rule(["approve"], "certificates.k8s.io", ["signers"], ["kubernetes.io/kubelet-serving"])]),
  clusterRole("system:certificates.k8s.io:legacy-unknown-approver", [rule(["approve"], "certificates.k8s.io", ["signers"], ["kubernetes.io/legacy-unknown"])]),
];
