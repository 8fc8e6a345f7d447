import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import type { Node, Pod } from "../../../apis/generated/core/v1.ts";
import type { Listers } from "../../listers.ts";
import type { AdmissionAttributes } from "../admission.ts";

const mirrorAnnotation = "kubernetes.io/config.mirror";

export function judgePod(node: string, { operation, object, oldObject }: AdmissionAttributes, listers: Listers): string | undefined {
  if (operation === "CREATE") return judgeMirror(node, object as Pod, listers);
  if (operation !== "DELETE") return `unexpected operation ${quote(operation)}, node ${quote(node)} can only create and delete mirror pods`;
  return nodeOf(oldObject) === node ? undefined : `node ${quote(node)} can only delete pods with spec.nodeName set to itself`;
}

/** A mirror pod shows what the node runs by itself: it must be the node's, and open nothing to it. */
function judgeMirror(node: string, pod: Pod, listers: Listers): string | undefined {
  if (pod.metadata.annotations?.[mirrorAnnotation] === undefined) return `pod does not have ${quote(mirrorAnnotation)} annotation, node ${quote(node)} can only create mirror pods`;
  if (pod.spec.nodeName !== node) return `node ${quote(node)} can only create pods with spec.nodeName set to itself`;
  return judgeOwner(node, pod, listers) ?? judgeReferences(node, pod);
}

function judgeOwner(node: string, { metadata: { ownerReferences = [] } }: Pod, listers: Listers): string | undefined {
  if (ownerReferences.length > 1) return `node ${quote(node)} can only create pods with a single owner reference set to itself`;
  const [owner] = ownerReferences;
  if (!owner || owner.apiVersion !== "v1" || owner.kind !== "Node" || owner.name !== node) return `node ${quote(node)} can only create pods with an owner reference set to itself`;
  if (!owner.controller) return `node ${quote(node)} can only create pods with a controller owner reference set to itself`;
  if (owner.blockOwnerDeletion) return `node ${quote(node)} must not set blockOwnerDeletion on an owner reference`;
  const found = listers<Node>("", "nodes").get(node);
  if (!found) return `nodes ${quote(node)} not found`;
  return owner.uid === found.metadata.uid ? undefined : `node ${node} UID mismatch: expected ${owner.uid} got ${found.metadata.uid}`;
}

function judgeReferences(node: string, { spec }: Pod): string | undefined {
  const containers = [...spec.initContainers ?? [], ...spec.containers ?? []];
  const sources = spec.volumes?.flatMap(({ projected }) => projected?.sources ?? []) ?? [];
  const references: readonly [string, boolean][] = [
    ["serviceaccounts", Boolean(spec.serviceAccountName) || sources.some(({ serviceAccountToken }) => serviceAccountToken)],
    ["secrets", Boolean(spec.imagePullSecrets?.length) || containers.some(({ env, envFrom }) => env?.some(({ valueFrom }) => valueFrom?.secretKeyRef) || envFrom?.some(({ secretRef }) => secretRef))
      || Boolean(spec.volumes?.some(({ secret }) => secret)) || sources.some(({ secret }) => secret)],
    ["configmaps", containers.some(({ env, envFrom }) => env?.some(({ valueFrom }) => valueFrom?.configMapKeyRef) || envFrom?.some(({ configMapRef }) => configMapRef))
      || Boolean(spec.volumes?.some(({ configMap }) => configMap)) || sources.some(({ configMap }) => configMap)],
    ["clustertrustbundles", sources.some(({ clusterTrustBundle }) => clusterTrustBundle)],
    ["resourceclaims", Boolean(spec.resourceClaims?.length)],
    ["persistentvolumeclaims", Boolean(spec.volumes?.some(({ persistentVolumeClaim, ephemeral }) => persistentVolumeClaim ?? ephemeral))],
  ];
  const found = references.find(([, has]) => has)?.[0];
  return found && `node ${quote(node)} can not create pods that reference ${found}`;
}

export function judgePodStatus(node: string, { operation, object, oldObject }: AdmissionAttributes): string | undefined {
  if (operation !== "UPDATE") return `unexpected operation ${quote(operation)}`;
  if (nodeOf(oldObject) !== node) return `node ${quote(node)} can only update pod status for pods with spec.nodeName set to itself`;
  if (!Bun.deepEquals(object?.metadata.labels ?? {}, oldObject?.metadata.labels ?? {})) return `node ${quote(node)} cannot update labels through pod status`;
  const { status } = object as Pod, { status: old } = oldObject as Frozen<Pod>;
  if (!Bun.deepEquals(status?.resourceClaimStatuses ?? [], old?.resourceClaimStatuses ?? [])) return `node ${quote(node)} cannot update resource claim statues`;
  return Bun.deepEquals(status?.extendedResourceClaimStatus, old?.extendedResourceClaimStatus) ? undefined : `node ${quote(node)} cannot update extended resource claim status`;
}

export function judgeEviction(node: string, { namespace, name }: AdmissionAttributes, listers: Listers): string | undefined {
  const pod = listers<Pod>("", "pods").get(`${namespace}/${name}`);
  return !pod || pod.spec.nodeName === node ? undefined : `node ${node} can only evict pods with spec.nodeName set to itself`;
}

const quote = (text: string): string => JSON.stringify(text);
const nodeOf = (pod: Frozen<KubeObject> | undefined): string | undefined => (pod as Frozen<Pod> | undefined)?.spec.nodeName;
