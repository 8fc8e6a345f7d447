import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import { forbidden, type StatusError } from "../../../apimachinery/status.ts";
import type { TokenRequest } from "../../../apis/generated/authentication/v1.ts";
import type { Node, Pod } from "../../../apis/generated/core/v1.ts";
import type { UserInfo } from "../../attributes.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";
import { forbiddenLabelChanges } from "./node-labels.ts";

const mirrorAnnotation = "kubernetes.io/config.mirror";

/** Keeps a kubelet (`system:node:<name>` in `system:nodes`) to its own node, the pods bound to it, its lease and their tokens. */
export function nodeRestriction({ listers }: { listers: Listers }): Admission {
  const pods = listers<Pod>("", "pods");
  return defineAdmission({
    name: "NodeRestriction",
    operations: ["CREATE", "UPDATE", "DELETE"],
    resources: ["pods", "pods/status", "pods/eviction", "nodes", "nodes/status", "serviceaccounts/token", "leases.coordination.k8s.io", "csinodes.storage.k8s.io"],
    admit(attributes) {
      const node = nodeNameOf(attributes.context.user);
      if (node === undefined) return;
      const refusal = judge(node, attributes, (key) => pods.get(key));
      if (refusal) throw refuse(attributes, refusal);
    },
  });
}

/** The node a user is, or undefined for anybody else. */
export function nodeNameOf(user: UserInfo): string | undefined {
  const prefix = "system:node:";
  return user.groups.includes("system:nodes") && user.name.startsWith(prefix) ? user.name.slice(prefix.length) : undefined;
}

type PodReader = (key: string) => Frozen<Pod> | undefined;

function judge(node: string, attributes: AdmissionAttributes, readPod: PodReader): string | undefined {
  switch (attributes.subresource ? `${attributes.card.resource}/${attributes.subresource}` : attributes.card.resource) {
    case "pods": return judgePod(node, attributes);
    case "pods/status": return judgePodStatus(node, attributes);
    case "pods/eviction": return judgeEviction(node, attributes, readPod);
    case "nodes": case "nodes/status": return judgeNode(node, attributes);
    case "serviceaccounts/token": return judgeToken(node, attributes, readPod);
    case "leases": return judgeLease(node, attributes);
    default: return attributes.name === node ? undefined : `node ${quote(node)} can only access its own ${attributes.card.kind}`;
  }
}

function judgePod(node: string, { operation, object, oldObject }: AdmissionAttributes): string | undefined {
  if (operation === "CREATE") {
    const pod = object as Pod;
    if (pod.metadata.annotations?.[mirrorAnnotation] === undefined) return `pod does not have ${quote(mirrorAnnotation)} annotation, node ${quote(node)} can only create mirror pods`;
    return pod.spec.nodeName === node ? undefined : `node ${quote(node)} can only create pods with spec.nodeName set to itself`;
  }
  if (operation === "UPDATE") return `node ${quote(node)} can not update pods`;
  return nodeOf(oldObject) === node ? undefined : `node ${quote(node)} can only delete pods with spec.nodeName set to itself`;
}

function judgePodStatus(node: string, { operation, object, oldObject }: AdmissionAttributes): string | undefined {
  if (operation !== "UPDATE") return `unexpected operation ${operation}, node ${quote(node)} can only update pod status`;
  if (nodeOf(oldObject) !== node) return `node ${quote(node)} can only update pod status for pods with spec.nodeName set to itself`;
  return sameLabels(object, oldObject) ? undefined : `node ${quote(node)} cannot update labels through pod status`;
}

function judgeEviction(node: string, { namespace, name }: AdmissionAttributes, readPod: PodReader): string | undefined {
  const pod = readPod(`${namespace}/${name}`);
  return !pod || pod.spec.nodeName === node ? undefined : `node ${node} can only evict pods with spec.nodeName set to itself`;
}

function judgeNode(node: string, { operation, name, object, oldObject }: AdmissionAttributes): string | undefined {
  const requested = name || object?.metadata.name;
  if (requested !== node) return `node ${quote(node)} is not allowed to modify node ${quote(requested ?? "")}`;
  if (operation === "DELETE") return undefined;
  const labels = forbiddenLabelChanges(object?.metadata.labels ?? {}, oldObject?.metadata.labels ?? {});
  if (labels.length) return `is not allowed to ${operation === "CREATE" ? "set" : "modify"} the following labels: ${labels.join(", ")}`;
  if (operation === "UPDATE" && !sameTaints(object as Node, oldObject as Frozen<Node>)) return `node ${quote(node)} is not allowed to modify taints`;
  return undefined;
}

function judgeToken(node: string, { object, namespace }: AdmissionAttributes, readPod: PodReader): string | undefined {
  const ref = (object as TokenRequest | undefined)?.spec.boundObjectRef;
  if (!ref || ref.kind !== "Pod" || (ref.apiVersion ?? "v1") !== "v1" || !ref.name) return "node requested token not bound to a pod";
  if (!ref.uid) return "node requested token with a pod binding without a uid";
  const pod = readPod(`${namespace}/${ref.name}`);
  if (!pod) return `pod ${quote(ref.name)} not found`;
  if (pod.metadata.uid !== ref.uid) return `the UID in the bound object reference (${ref.uid}) does not match the UID in record. The object might have been deleted and then recreated`;
  return pod.spec.nodeName === node ? undefined : "node requested token bound to a pod scheduled on a different node";
}

function judgeLease(node: string, { namespace, name, object }: AdmissionAttributes): string | undefined {
  if (namespace !== "kube-node-lease") return `can only access leases in the ${quote("kube-node-lease")} system namespace`;
  return (name || object?.metadata.name) === node ? undefined : "can only access node lease with the same name as the requesting node";
}

const quote = (text: string): string => JSON.stringify(text);
const nodeOf = (pod: Frozen<KubeObject> | undefined): string | undefined => (pod as Frozen<Pod> | undefined)?.spec.nodeName;
const sameLabels = (a?: Frozen<KubeObject>, b?: Frozen<KubeObject>): boolean => Bun.deepEquals(a?.metadata.labels ?? {}, b?.metadata.labels ?? {});
const sameTaints = (a: Frozen<Node>, b: Frozen<Node>): boolean => Bun.deepEquals(a.spec?.taints ?? [], b.spec?.taints ?? []);

const refuse = ({ card, name, object }: AdmissionAttributes, detail: string): StatusError => forbidden(card, name || object?.metadata.name || "", detail);
