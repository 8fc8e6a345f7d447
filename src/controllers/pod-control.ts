import { thaw, type Frozen, type KubeObject } from "../apimachinery/meta.ts";
import type { AnyResource } from "../apimachinery/resource.ts";
import { isNamespaceTerminating, isNotFound } from "../apimachinery/status.ts";
import { pods } from "../apis/builtins.ts";
import type { Pod, PodTemplateSpec } from "../apis/generated/core/v1.ts";
import type { ReconcileContext } from "../client/controller.ts";
import { newControllerRef } from "./controller-ref.ts";

/** Pods of owners that don't care for their names, and what users are told of them. Source: RealPodControl of k8s.io/kubernetes/pkg/controller. */

/** A pod of the template, with a name that the server makes. */
export function podFromTemplate(card: AnyResource, owner: Frozen<KubeObject>, template: Frozen<PodTemplateSpec>): Pod {
  const { metadata, spec } = thaw<PodTemplateSpec>(template);
  return {
    apiVersion: "v1", kind: "Pod",
    metadata: {
      generateName: `${owner.metadata.name}-`, namespace: owner.metadata.namespace,
      ...(metadata?.labels ? { labels: metadata.labels } : {}),
      ...(metadata?.annotations ? { annotations: metadata.annotations } : {}),
      ...(metadata?.finalizers ? { finalizers: metadata.finalizers } : {}),
      ownerReferences: [newControllerRef(card, owner)],
    },
    spec: spec!,
  };
}

export async function createPod(owner: Frozen<KubeObject>, pod: Pod, { client, recorder }: ReconcileContext): Promise<void> {
  try {
    const created = await client.create(pods, pod);
    recorder.event(owner, "Normal", "SuccessfulCreate", `Created pod: ${created.metadata.name}`);
  } catch (error) {
    if (!isNamespaceTerminating(error)) recorder.event(owner, "Warning", "FailedCreate", `Error creating: ${(error as Error).message}`);
    throw error;
  }
}

/** A pod that is gone already is deleted. */
export async function deletePod(owner: Frozen<KubeObject>, pod: Frozen<Pod>, { client, recorder }: ReconcileContext): Promise<void> {
  const { namespace, name, uid } = pod.metadata;
  try {
    await client.delete(pods, { namespace, name: name! }, { preconditions: { uid } });
    recorder.event(owner, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
  } catch (error) {
    if (isNotFound(error)) return;
    recorder.event(owner, "Warning", "FailedDelete", `Error deleting: ${(error as Error).message}`);
    throw error;
  }
}
