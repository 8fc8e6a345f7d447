import { createHash } from "node:crypto";
import { render } from "../../../src/apimachinery/field-errors.ts";
import { parseYaml } from "../../../src/apimachinery/schema/yaml.ts";
import { decode } from "../../../src/apimachinery/schema/decode.ts";
import { pods } from "../../../src/apis/core/pod/pod.ts";
import type { Pod } from "../../../src/apis/generated/core/v1.ts";
import { configHashAnnotation, configSourceAnnotation } from "./static-pod.ts";

export interface ManifestOrigin {
  path: string;
  nodeName: string;
}

export interface Manifest {
  pod: Pod;
  /** What of the file was not understood, and is ignored. */
  warnings: readonly string[];
}

/** Those that every cluster has: the API's own may be out of reach. */
const priorities: Readonly<Record<string, number>> = { "system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000 };

/**
 * The pod that a file describes: its name ends in the node's, its uid follows from the content, so that a changed file is another pod.
 * Throws an Error that says what is wrong. Source: k8s.io/kubernetes/pkg/kubelet/config/common.go.
 */
export function readManifest(text: string, { path, nodeName }: ManifestOrigin): Manifest {
  const { value } = parseYaml(text);
  const { apiVersion, kind } = (value ?? {}) as { apiVersion?: unknown; kind?: unknown };
  if (apiVersion !== "v1" || kind !== "Pod") throw new Error(`a static pod's file must hold one object of apiVersion v1 and kind Pod, not ${JSON.stringify(apiVersion ?? "")} and ${JSON.stringify(kind ?? "")}`);
  const { object: pod, unknownFields } = decode<Pod>(pods.schema, value, { fieldValidation: "Warn" });
  if (!pod.metadata?.name) throw new Error("invalid pod: name is needed for the pod");
  const reference = apiReference(pod);
  if (reference) throw new Error(`static pods may not reference ${reference}`);
  const uid = pod.metadata.uid ?? createHash("sha256").update(JSON.stringify([nodeName, path, pod])).digest("hex").slice(0, 32);
  pod.metadata = {
    ...pod.metadata, uid, name: `${pod.metadata.name}-${nodeName.toLowerCase()}`, namespace: pod.metadata.namespace ?? "default",
    annotations: { ...pod.metadata.annotations, [configHashAnnotation]: uid, [configSourceAnnotation]: "file" },
  };
  pod.spec.nodeName = nodeName;
  pod.spec.tolerations = [...(pod.spec.tolerations ?? []).filter(({ operator, effect, key }) => !(operator === "Exists" && effect === "NoExecute" && !key)), { operator: "Exists", effect: "NoExecute" }];
  const priority = priorities[pod.spec.priorityClassName ?? ""];
  if (priority !== undefined) pod.spec.priority = priority;
  pods.default?.(pod);
  const errors = pods.strategy.validate?.(pod) ?? [];
  if (errors.length > 0) throw new Error(`invalid pod: ${errors.map(render).join(", ")}`);
  pod.status = { phase: "Pending" };
  return { pod, warnings: unknownFields };
}

/** What the pod would need the API for; undefined when it can run without. Source: k8s.io/kubernetes/pkg/api/pod HasAPIObjectReference. */
function apiReference({ spec }: Pod): string | undefined {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const env = containers.flatMap((container) => container.env ?? []), envFrom = containers.flatMap((container) => container.envFrom ?? []);
  if (spec.serviceAccountName) return "serviceaccounts";
  if (spec.imagePullSecrets?.length || env.some(({ valueFrom }) => valueFrom?.secretKeyRef) || envFrom.some(({ secretRef }) => secretRef)) return "secrets";
  if (env.some(({ valueFrom }) => valueFrom?.configMapKeyRef) || envFrom.some(({ configMapRef }) => configMapRef)) return "configmaps";
  if (spec.resourceClaims?.length) return "resourceclaims";
  for (const volume of spec.volumes ?? []) {
    if (volume.configMap) return "configmaps (via configmap volumes)";
    if (volume.secret) return "secrets (via secret volumes)";
    if (volume.csi) return "csidrivers (via CSI volumes)";
    if (volume.persistentVolumeClaim) return "persistentvolumeclaims";
    if (volume.ephemeral) return "persistentvolumeclaims (via ephemeral volumes)";
    for (const source of volume.projected?.sources ?? []) {
      if (source.configMap) return "configmaps (via projected volumes)";
      if (source.secret) return "secrets (via projected volumes)";
      if (source.serviceAccountToken) return "serviceaccounts (via projected volumes)";
      if (source.clusterTrustBundle) return "clustertrustbundles";
      if (source.podCertificate) return "podcertificates";
    }
  }
  return undefined;
}
