import type { PolicyRule } from "../../../apis/generated/rbac/v1.ts";
import { eventsRule, read, rule } from "./rule.ts";

/**
 * What nodes may do (kubernetes plugin/pkg/auth/authorizer/rbac/bootstrappolicy NodeRules). Of kinds that the Node authorizer judges by their
 * objects it goes by those; the rest of these rules it takes as they are. The parts of our agent beside the kubelet (service proxy, DNS,
 * network) read Services, EndpointSlices and other nodes' addresses as `system:node-proxier` instead.
 */
export const nodeRules: readonly PolicyRule[] = [
  rule(["create"], "authentication.k8s.io", ["tokenreviews"]),
  rule(["create"], "authorization.k8s.io", ["localsubjectaccessreviews", "subjectaccessreviews"]),
  rule(read, "", ["services"]),
  rule(["create", ...read], "", ["nodes"]),
  rule(["patch", "update"], "", ["nodes/status"]),
  rule(["patch", "update"], "", ["nodes"]),
  eventsRule,
  rule(read, "", ["pods"]),
  rule(["create", "delete"], "", ["pods"]),
  rule(["patch", "update"], "", ["pods/status"]),
  rule(["create"], "", ["pods/eviction"]),
  rule(read, "", ["configmaps", "secrets"]),
  rule(["get"], "", ["persistentvolumeclaims", "persistentvolumes"]),
  rule(["get"], "", ["endpoints"]),
  rule(["create", ...read], "certificates.k8s.io", ["certificatesigningrequests"]),
  rule(["create", "delete", "get", "patch", "update"], "coordination.k8s.io", ["leases"]),
  rule(["get"], "storage.k8s.io", ["volumeattachments"]),
  rule(["create"], "", ["serviceaccounts/token"]),
  rule(["get", "patch", "update"], "", ["persistentvolumeclaims/status"]),
  rule(read, "storage.k8s.io", ["csidrivers"]),
  rule(["create", "delete", "get", "patch", "update"], "storage.k8s.io", ["csinodes"]),
  rule(read, "node.k8s.io", ["runtimeclasses"]),
  rule(["get"], "resource.k8s.io", ["resourceclaims"]),
  rule(["deletecollection"], "resource.k8s.io", ["resourceslices"]),
  rule(["get"], "", ["serviceaccounts"]),
];
