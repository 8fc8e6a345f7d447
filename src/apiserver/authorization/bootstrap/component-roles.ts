import type { ClusterRole } from "../../../apis/generated/rbac/v1.ts";
import { nodeRules } from "./node-rules.ts";
import { clusterRole, eventsRule, paths, read, readWrite, rule } from "./rule.ts";

const leaderElection = (name: string, verbs = ["get", "update"]): ReturnType<typeof rule>[] => [
  rule(["create"], "coordination.k8s.io", ["leases"]),
  rule(verbs, "coordination.k8s.io", ["leases"], [name]),
];
const delegatedAuth = [rule(["create"], "authentication.k8s.io", ["tokenreviews"]), rule(["create"], "authorization.k8s.io", ["subjectaccessreviews"])];

/** The roles of the cluster's own parts and of common add-ons. Source: as `user-roles.ts`. */
export const componentRoles: readonly ClusterRole[] = [
  clusterRole("system:node", nodeRules),
  // The parts of our agents beside the kubelet: service proxy, DNS, policies, routes.
  clusterRole("system:skiff-network", [
    rule(read, "", ["namespaces", "nodes", "pods", "services"]), rule(read, "discovery.k8s.io", ["endpointslices"]),
    rule(read, "networking.k8s.io", ["networkpolicies", "servicecidrs"]), eventsRule,
  ]),
  clusterRole("system:node-problem-detector", [rule(["get"], "", ["nodes"]), rule(["patch"], "", ["nodes/status"]), eventsRule]),
  clusterRole("system:node-proxier", [
    rule(["list", "watch"], "", ["endpoints", "services"]), rule(["get", "list", "watch"], "", ["nodes"]), eventsRule,
    rule(["list", "watch"], "discovery.k8s.io", ["endpointslices"]), rule(["list", "watch"], "networking.k8s.io", ["servicecidrs"]),
  ]),
  clusterRole("system:node-bootstrapper", [rule(["create", "get", "list", "watch"], "certificates.k8s.io", ["certificatesigningrequests"])]),
  clusterRole("system:kubelet-api-admin", [rule(read, "", ["nodes"]), rule(["proxy"], "", ["nodes"]), rule(["*"], "", ["nodes/configz", "nodes/healthz", "nodes/log", "nodes/metrics", "nodes/pods", "nodes/proxy", "nodes/stats"])]),
  clusterRole("system:heapster", [rule(read, "", ["events", "namespaces", "nodes", "pods"]), rule(read, "extensions", ["deployments"])]),
  clusterRole("system:kube-dns", [rule(["list", "watch"], "", ["endpoints", "services"])]),
  clusterRole("system:auth-delegator", delegatedAuth),
  clusterRole("system:kube-aggregator", [rule(read, "", ["endpoints", "services"])]),
  clusterRole("system:persistent-volume-provisioner", [
    rule(["create", "delete", "get", "list", "watch"], "", ["persistentvolumes"]), rule(["get", "list", "update", "watch"], "", ["persistentvolumeclaims"]),
    rule(read, "storage.k8s.io", ["storageclasses"]), rule(["watch"], "", ["events"]), eventsRule,
  ]),
  clusterRole("system:service-account-issuer-discovery", [paths("/.well-known/openid-configuration", "/.well-known/openid-configuration/", "/openid/v1/jwks", "/openid/v1/jwks/")]),
  clusterRole("system:kube-scheduler", [
    eventsRule, ...leaderElection("kube-scheduler", ["get", "list", "update", "watch"]), rule(readWrite, "coordination.k8s.io", ["leasecandidates"]),
    rule(read, "", ["nodes"]), rule(["delete", ...read], "", ["pods"]), rule(["create"], "", ["bindings", "pods/binding"]), rule(["patch", "update"], "", ["pods/status"]),
    rule(read, "", ["replicationcontrollers", "services"]), rule(read, "apps", ["replicasets"]), rule(read, "extensions", ["replicasets"]), rule(read, "apps", ["statefulsets"]),
    rule(read, "policy", ["poddisruptionbudgets"]), rule(read, "", ["persistentvolumeclaims", "persistentvolumes"]), ...delegatedAuth,
    rule(read, "storage.k8s.io", ["csinodes"]), rule(read, "storage.k8s.io", ["volumeattachments"]), rule(read, "", ["namespaces"]),
    rule(read, "storage.k8s.io", ["csidrivers"]), rule(read, "storage.k8s.io", ["csistoragecapacities"]), rule(read, "resource.k8s.io", ["deviceclasses"]),
    rule([...read, "patch", "update"], "resource.k8s.io", ["resourceclaims"]), rule([...read, "patch", "update"], "resource.k8s.io", ["resourceclaims/status"]),
    rule(["update"], "", ["pods/finalizers"]), rule(read, "resource.k8s.io", ["resourceslices"]), rule(["create", "delete"], "resource.k8s.io", ["resourceclaims"]),
    rule(["patch", "update"], "resource.k8s.io", ["resourceclaims/binding"]),
    // Ours looks at priority classes as well.
    rule(read, "scheduling.k8s.io", ["priorityclasses"]),
  ]),
  clusterRole("system:volume-scheduler", [
    rule([...read, "patch", "update"], "", ["persistentvolumes"]), rule(read, "storage.k8s.io", ["storageclasses"]), rule([...read, "patch", "update"], "", ["persistentvolumeclaims"]),
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
