import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import { parseCertificateRequest } from "../../../apis/certificates/pkcs10.ts";
import type { CertificateSigningRequest } from "../../../apis/generated/certificates/v1.ts";
import type { Node, PersistentVolumeClaim } from "../../../apis/generated/core/v1.ts";
import type { ResourceSlice } from "../../../apis/generated/resource/v1.ts";
import type { Authorizer, UserInfo } from "../../attributes.ts";
import type { Listers } from "../../listers.ts";
import { defineAdmission, type Admission, type AdmissionAttributes } from "../admission.ts";
import { refuse } from "../refuse.ts";
import { forbiddenLabelChanges } from "./node-labels.ts";
import { judgeEviction, judgePod, judgePodStatus } from "./node-restriction-pods.ts";
import { judgeToken } from "./node-restriction-tokens.ts";

/** Says why a node may not; undefined when it may. */
type Judge = (node: string, attributes: AdmissionAttributes, listers: Listers, authorizer: Authorizer) => string | undefined;

const judges: Readonly<Record<string, Judge>> = {
  "pods": judgePod, "pods/status": judgePodStatus, "pods/eviction": judgeEviction,
  "nodes": judgeNode, "nodes/status": judgeNode,
  "persistentvolumeclaims": () => "may only update PVC status", "persistentvolumeclaims/status": judgeClaimStatus,
  "serviceaccounts/token": judgeToken,
  "leases.coordination.k8s.io": judgeLease, "csinodes.storage.k8s.io": judgeCsiNode,
  "resourceslices.resource.k8s.io": judgeSlice, "certificatesigningrequests.certificates.k8s.io": judgeCertificate,
};

/** Keeps a kubelet (`system:node:<name>` in `system:nodes`) to its own node, the pods bound to it and what is theirs. Source: kubernetes plugin/pkg/admission/noderestriction. */
export function nodeRestriction({ listers, authorizer }: { listers: Listers; authorizer: Authorizer }): Admission {
  return defineAdmission({
    name: "NodeRestriction",
    operations: ["CREATE", "UPDATE", "DELETE"],
    resources: Object.keys(judges),
    admit(attributes) {
      const { user } = attributes.context;
      const node = nodeNameOf(user);
      if (node === undefined) return;
      if (node === "") throw refuse(attributes, `could not determine node from user ${JSON.stringify(user.name)}`);
      const { card, subresource } = attributes;
      const resource = card.group ? `${card.resource}.${card.group}` : card.resource;
      const refusal = judges[subresource ? `${resource}/${subresource}` : resource]!(node, attributes, listers, authorizer);
      if (refusal) throw refuse(attributes, refusal);
    },
  });
}

/** The node a user is, or undefined for anybody else. */
export function nodeNameOf(user: UserInfo): string | undefined {
  const prefix = "system:node:";
  return user.groups.includes("system:nodes") && user.name.startsWith(prefix) ? user.name.slice(prefix.length) : undefined;
}

function judgeNode(node: string, { operation, name, object, oldObject }: AdmissionAttributes): string | undefined {
  const requested = name || object?.metadata.name;
  if (requested !== node) return `node ${quote(node)} is not allowed to modify node ${quote(requested ?? "")}`;
  if (operation === "DELETE") return undefined;
  const labels = forbiddenLabelChanges(object?.metadata.labels ?? {}, oldObject?.metadata.labels ?? {});
  if (operation === "CREATE") return labels.length ? `node ${quote(node)} is not allowed to set the following labels: ${labels.join(", ")}` : undefined;
  if (!Bun.deepEquals((object as Node).spec?.taints ?? [], (oldObject as Frozen<Node>).spec?.taints ?? [])) return `node ${quote(node)} is not allowed to modify taints`;
  if (!Bun.deepEquals(object?.metadata.ownerReferences ?? [], oldObject?.metadata.ownerReferences ?? [])) return `node ${quote(node)} is not allowed to modify ownerReferences`;
  return labels.length ? `is not allowed to modify labels: ${labels.join(", ")}` : undefined;
}

/** Of a claim a node reports how far its volume has grown. */
function judgeClaimStatus(node: string, { operation, object, oldObject }: AdmissionAttributes): string | undefined {
  if (operation !== "UPDATE") return `unexpected operation ${quote(operation)}`;
  const rest = (claim: KubeObject): unknown => {
    const { metadata: { resourceVersion: _, managedFields: __, ...metadata }, status: { capacity: ___, conditions: ____, allocatedResources: _____, allocatedResourceStatuses: ______, ...status } = {}, ...others } = claim as PersistentVolumeClaim;
    return { ...others, metadata, status };
  };
  return Bun.deepEquals(rest(object!), rest(oldObject as KubeObject)) ? undefined : `node ${quote(node)} is not allowed to update fields other than status.quantity and status.conditions`;
}

function judgeLease(node: string, { namespace, name, object }: AdmissionAttributes): string | undefined {
  if (namespace !== "kube-node-lease") return `can only access leases in the ${quote("kube-node-lease")} system namespace`;
  return (name || object?.metadata.name) === node ? undefined : "can only access node lease with the same name as the requesting node";
}

function judgeCsiNode(node: string, { name, object }: AdmissionAttributes): string | undefined {
  return (name || object?.metadata.name) === node ? undefined : "can only access CSINode with the same name as the requesting node";
}

function judgeSlice(node: string, { operation, object, oldObject }: AdmissionAttributes): string | undefined {
  const of = (slice: unknown): string | undefined => (slice as ResourceSlice | undefined)?.spec.nodeName;
  if (operation === "CREATE" && of(object) !== node) return "can only create ResourceSlice with the same NodeName as the requesting node";
  return operation === "DELETE" && of(oldObject) !== node ? "can only delete ResourceSlice with the same NodeName as the requesting node" : undefined;
}

const kubeletSigners = ["kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"];

function judgeCertificate(node: string, { operation, object }: AdmissionAttributes): string | undefined {
  const { signerName, request } = (object as CertificateSigningRequest | undefined)?.spec ?? { signerName: "", request: "" };
  if (operation !== "CREATE" || !kubeletSigners.includes(signerName)) return undefined;
  const parsed = parseCertificateRequest(request);
  if (!parsed) return "unable to parse csr: PEM block type must be CERTIFICATE REQUEST";
  return parsed.commonName === `system:node:${node}` ? undefined : `can only create a node CSR with CN=system:node:${node}`;
}

const quote = (text: string): string => JSON.stringify(text);
