import { createHash } from "node:crypto";
import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { ResourceRequirements } from "../../../src/apis/generated/core/v1.ts";
import type { Container, Pod } from "../pod/pod.ts";

/** The labels by which the kubelet finds what it made. Source: k8s.io/kubelet and cri-api well-known labels. */
export const podNameLabel = "io.kubernetes.pod.name";
export const podNamespaceLabel = "io.kubernetes.pod.namespace";
export const podUidLabel = "io.kubernetes.pod.uid";
export const containerNameLabel = "io.kubernetes.container.name";

const hashAnnotation = "io.kubernetes.container.hash";
const restartCountAnnotation = "io.kubernetes.container.restartCount";
const terminationMessagePathAnnotation = "io.kubernetes.container.terminationMessagePath";
const terminationMessagePolicyAnnotation = "io.kubernetes.container.terminationMessagePolicy";
const podGracePeriodAnnotation = "io.kubernetes.pod.terminationGracePeriod";
/** Ours: what the container was made with, so that a kubelet knows it which comes back to a pod that was resized meanwhile. */
const resourcesAnnotation = "node.skiff.io/resources";

/** What an adopted container tells about itself, whichever process created it. */
export interface ContainerFacts {
  hash: string;
  restartCount: number;
  terminationMessagePath?: string;
  terminationMessagePolicy?: string;
  podGracePeriodSeconds?: number;
  /** What the container, and its pod as a whole, had when it was made. */
  resources?: { container: Frozen<ResourceRequirements>; pod?: Frozen<ResourceRequirements> };
}

export const sandboxLabels = (pod: Pod): Record<string, string> => ({ ...pod.metadata.labels, ...identity(pod) });
export const sandboxAnnotations = (pod: Pod): Record<string, string> => ({ ...pod.metadata.annotations });
export const containerLabels = (pod: Pod, container: Container): Record<string, string> => ({ ...identity(pod), [containerNameLabel]: container.name });

export function containerAnnotations(pod: Pod, container: Container, restartCount: number): Record<string, string> {
  const annotations: Record<string, string> = {
    [hashAnnotation]: containerHash(container),
    [restartCountAnnotation]: String(restartCount),
    [terminationMessagePathAnnotation]: container.terminationMessagePath ?? "/dev/termination-log",
    [terminationMessagePolicyAnnotation]: container.terminationMessagePolicy ?? "File",
    [resourcesAnnotation]: JSON.stringify({ container: container.resources ?? {}, pod: pod.spec.resources }),
  };
  if (pod.spec.terminationGracePeriodSeconds !== undefined) annotations[podGracePeriodAnnotation] = String(pod.spec.terminationGracePeriodSeconds);
  return annotations;
}

export function readContainerFacts(annotations: Readonly<Record<string, string>> = {}): ContainerFacts {
  const grace = annotations[podGracePeriodAnnotation];
  return {
    hash: annotations[hashAnnotation] ?? "",
    restartCount: Number(annotations[restartCountAnnotation] ?? 0),
    terminationMessagePath: annotations[terminationMessagePathAnnotation],
    terminationMessagePolicy: annotations[terminationMessagePolicyAnnotation],
    podGracePeriodSeconds: grace === undefined ? undefined : Number(grace),
    ...readResources(annotations[resourcesAnnotation]),
  };
}

function readResources(text: string | undefined): Pick<ContainerFacts, "resources"> {
  try {
    return text === undefined ? {} : { resources: JSON.parse(text) as ContainerFacts["resources"] };
  } catch {
    return {};
  }
}

/** Changes when a running container must be replaced: its name or its image. Source: kubelet's HashContainer. */
export function containerHash(container: Container): string {
  return createHash("sha256").update(JSON.stringify({ name: container.name, image: container.image })).digest("hex").slice(0, 8);
}

const identity = (pod: Pod): Record<string, string> => ({
  [podNameLabel]: pod.metadata.name!, [podNamespaceLabel]: pod.metadata.namespace!, [podUidLabel]: pod.metadata.uid!,
});
