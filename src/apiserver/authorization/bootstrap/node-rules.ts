import type { PolicyRule } from "../../../apis/generated/rbac/v1.ts";
import { eventsRule, read, rule } from "./rule.ts";

/**
 * What every node may do, beyond what the Node authorizer decides by looking at its pods. The parts of our agent beside the kubelet
 * (service proxy, DNS, network) read Services, EndpointSlices and other nodes' addresses as `system:node-proxier` instead.
 */
export const nodeRules: readonly PolicyRule[] = [
  rule(["create"], "authentication.k8s.io", ["tokenreviews"]),
  rule(["create"], "authorization.k8s.io", ["localsubjectaccessreviews", "subjectaccessreviews"]),
  rule(read, "", ["services"]),
  eventsRule,
  rule(["create", "get", "list", "watch"], "certificates.k8s.io", ["certificatesigningrequests"]),
  rule(["get"], "", ["persistentvolumes"]),
  rule(["get"], "storage.k8s.io", ["volumeattachments"]),
  rule(read, "storage.k8s.io", ["csidrivers"]),
  rule(read, "node.k8s.io", ["runtimeclasses"]),
];
