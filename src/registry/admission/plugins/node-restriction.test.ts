import { expect, test } from "bun:test";
import { leases, nodes, persistentvolumeclaims, pods, resourceslices, secrets, serviceaccounts } from "../../../apis/builtins.ts";
import type { Pod } from "../../../apis/generated/core/v1.ts";
import { mastersOnly } from "../../testing/fixture.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { nodeRestriction } from "./node-restriction.ts";

const kubelet = { user: { name: "system:node:a", groups: ["system:nodes"] }, warn: () => undefined };
const podOn = (nodeName: string, metadata: object = {}): Pod => ({ metadata: { name: `on-${nodeName}`, namespace: "ns", uid: `uid-${nodeName}`, ...metadata }, spec: { containers: [], nodeName } });
const withToken = (pod: Pod): Pod => ({ ...pod, spec: { ...pod.spec, volumes: [{ name: "t", projected: { sources: [{ serviceAccountToken: { path: "token" } }, { serviceAccountToken: { path: "vault", audience: "vault" } }] } }] } });
const owner = { apiVersion: "v1", kind: "Node", name: "a", uid: "n", controller: true };
const mirror = { ownerReferences: [owner], annotations: { "kubernetes.io/config.mirror": "hash" } };
const plugin = nodeRestriction({ authorizer: mastersOnly, listers: listersOf({ pods: [withToken(podOn("a")), podOn("b")], nodes: [{ metadata: { name: "a", uid: "n" } }] }) });
const node = (name: string, labels: Record<string, string> = {}, spec: object = {}) => ({ metadata: { name, labels }, spec });
const lease = (name: string, namespace = "kube-node-lease") => ({ metadata: { name, namespace } });
const token = (pod?: string, uid = `uid-${pod?.slice(3)}`, ...audiences: string[]) => ({ metadata: { name: "default", namespace: "ns" }, spec: { audiences, ...(pod ? { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: pod, uid } } : {}) } });

test.each([
  ["create a pod", pods, { object: podOn("a") }, 'can only create mirror pods'],
  ["create its mirror pod", pods, { object: podOn("a", mirror) }, ""],
  ["create another's mirror pod", pods, { object: podOn("b", mirror) }, "can only create pods with spec.nodeName set to itself"],
  ["delete its pod", pods, { operation: "DELETE", oldObject: podOn("a") }, ""],
  ["delete another's pod", pods, { operation: "DELETE", oldObject: podOn("b") }, "can only delete pods with spec.nodeName set to itself"],
  ["update a pod", pods, { operation: "UPDATE", object: podOn("a"), oldObject: podOn("a") }, 'unexpected operation "UPDATE", node "a" can only create and delete mirror pods'],
  ["create a mirror pod that nobody owns", pods, { object: podOn("a", { ...mirror, ownerReferences: [] }) }, "can only create pods with an owner reference set to itself"],
  ["create a mirror pod of an earlier node", pods, { object: podOn("a", { ...mirror, ownerReferences: [{ ...owner, uid: "old" }] }) }, "node a UID mismatch: expected old got n"],
  ["create a mirror pod that reads a secret", pods, { object: { ...podOn("a", mirror), spec: { containers: [], nodeName: "a", volumes: [{ name: "s", secret: { secretName: "s" } }] } } }, "can not create pods that reference secrets"],
  ["change a pod's device claims", pods, { operation: "UPDATE", subresource: "status", object: { ...podOn("a"), status: { resourceClaimStatuses: [{ name: "x" }] } }, oldObject: podOn("a") }, "cannot update resource claim statues"],
  ["get a token for what the pod says", serviceaccounts, { subresource: "token", object: token("on-a", "uid-a", "vault") }, ""],
  ["get a token for something else", serviceaccounts, { subresource: "token", object: token("on-a", "uid-a", "bank") }, 'audience "bank" not found in pod spec volume, system:node:a is not authorized to request tokens for this audience'],
  ["get a token for two things", serviceaccounts, { subresource: "token", object: token("on-a", "uid-a", "vault", "") }, "node may only request 0 or 1 audiences"],
  ["report a claim's size", persistentvolumeclaims, { operation: "UPDATE", subresource: "status", object: { metadata: { name: "c" }, status: { capacity: { storage: "2Gi" } } }, oldObject: { metadata: { name: "c" }, status: {} } }, ""],
  ["bind a claim", persistentvolumeclaims, { operation: "UPDATE", subresource: "status", object: { metadata: { name: "c" }, status: { phase: "Bound" } }, oldObject: { metadata: { name: "c" }, status: {} } }, "is not allowed to update fields other than status.quantity and status.conditions"],
  ["change a claim", persistentvolumeclaims, { operation: "UPDATE", object: { metadata: { name: "c" } }, oldObject: { metadata: { name: "c" } } }, "may only update PVC status"],
  ["publish another's devices", resourceslices, { object: { metadata: { name: "s" }, spec: { nodeName: "b" } } }, "can only create ResourceSlice with the same NodeName as the requesting node"],
  ["own itself by somebody", nodes, { operation: "UPDATE", object: { ...node("a"), metadata: { name: "a", ownerReferences: [owner] } }, oldObject: node("a") }, "is not allowed to modify ownerReferences"],
  ["update its pod's status", pods, { operation: "UPDATE", subresource: "status", object: podOn("a"), oldObject: podOn("a") }, ""],
  ["update another's pod's status", pods, { operation: "UPDATE", subresource: "status", object: podOn("b"), oldObject: podOn("b") }, "can only update pod status for pods with spec.nodeName set to itself"],
  ["change labels with the status", pods, { operation: "UPDATE", subresource: "status", object: podOn("a", { labels: { x: "y" } }), oldObject: podOn("a") }, "cannot update labels through pod status"],
  ["evict its pod", pods, { subresource: "eviction", object: { metadata: { name: "on-a", namespace: "ns" } } }, ""],
  ["evict another's pod", pods, { subresource: "eviction", object: { metadata: { name: "on-b", namespace: "ns" } } }, "can only evict pods with spec.nodeName set to itself"],
  ["register itself", nodes, { object: node("a", { "kubernetes.io/hostname": "a", mine: "1" }) }, ""],
  ["register another", nodes, { object: node("b") }, 'node "a" is not allowed to modify node "b"'],
  ["label itself a control plane", nodes, { object: node("a", { "node-role.kubernetes.io/control-plane": "" }) }, "is not allowed to set the following labels: node-role.kubernetes.io/control-plane"],
  ["lift its restriction", nodes, { operation: "UPDATE", object: node("a"), oldObject: node("a", { "node-restriction.kubernetes.io/zone": "x" }) }, "is not allowed to modify labels: node-restriction.kubernetes.io/zone"],
  ["update its status", nodes, { operation: "UPDATE", subresource: "status", object: node("a"), oldObject: node("a") }, ""],
  ["remove its taints", nodes, { operation: "UPDATE", object: node("a"), oldObject: node("a", {}, { taints: [{ key: "k", effect: "NoSchedule" }] }) }, "is not allowed to modify taints"],
  ["renew its lease", leases, { operation: "UPDATE", object: lease("a"), oldObject: lease("a") }, ""],
  ["renew another's lease", leases, { operation: "UPDATE", object: lease("b"), oldObject: lease("b") }, "can only access node lease with the same name as the requesting node"],
  ["make a lease elsewhere", leases, { object: lease("a", "ns") }, 'can only access leases in the "kube-node-lease" system namespace'],
  ["get a token for its pod", serviceaccounts, { subresource: "token", object: token("on-a") }, ""],
  ["get a token for another's pod", serviceaccounts, { subresource: "token", object: token("on-b") }, "node requested token bound to a pod scheduled on a different node"],
  ["get a token for nothing", serviceaccounts, { subresource: "token", object: token() }, "node requested token not bound to a pod"],
  ["get a token for an older pod of that name", serviceaccounts, { subresource: "token", object: token("on-a", "other") }, "does not match the UID in record"],
  ["write what the plugin does not mind", secrets, { object: { metadata: { name: "s", namespace: "ns" } } }, ""],
] as const)("a kubelet asks to %s", async (_, card, rest, expected) => {
  const refusal = await run(plugin, attributesOf(card, { ...rest, context: kubelet } as never));
  if (expected === "") expect(refusal).toBe("");
  else expect(refusal).toMatch(/^403 /);
  expect(refusal).toContain(expected);
  expect(await run(plugin, attributesOf(card, rest as never))).toBe("");
});
