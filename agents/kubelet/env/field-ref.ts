import type { Pod } from "../pod/pod.ts";

/** Addresses the kubelet knows before the API does. */
export interface PodAddresses {
  podIps: readonly string[];
  hostIps: readonly string[];
}

const indexed = /^metadata\.(labels|annotations)\['(.+)'\]$/;

/** The value of a `fieldRef`; undefined when the path is none that the downward API offers. */
export function fieldValue(pod: Pod, fieldPath: string, nodeName: string, addresses: PodAddresses): string | undefined {
  const match = indexed.exec(fieldPath);
  if (match) return pod.metadata[match[1] as "labels" | "annotations"]?.[match[2]!] ?? "";
  switch (fieldPath) {
    case "metadata.name": return pod.metadata.name ?? "";
    case "metadata.namespace": return pod.metadata.namespace ?? "";
    case "metadata.uid": return pod.metadata.uid ?? "";
    case "metadata.labels": return formatMap(pod.metadata.labels);
    case "metadata.annotations": return formatMap(pod.metadata.annotations);
    case "spec.nodeName": return nodeName;
    case "spec.serviceAccountName": return pod.spec.serviceAccountName ?? "";
    case "status.hostIP": return addresses.hostIps[0] ?? "";
    case "status.hostIPs": return addresses.hostIps.join(",");
    case "status.podIP": return addresses.podIps[0] ?? "";
    case "status.podIPs": return addresses.podIps.join(",");
    default: return undefined;
  }
}

/** One `key="value"` a line, sorted, values quoted as Go quotes them. */
function formatMap(map: Readonly<Record<string, string>> = {}): string {
  return Object.keys(map).sort().map((key) => `${key}=${JSON.stringify(map[key])}`).join("\n");
}
